"""Mapping profiles: reads mappings/<name>.toml, checks all of it, and gives the value the mapper works with.

``form`` is the file's shape, ``tables`` its codes and words, ``expressions`` its FHIRPath, ``load`` puts it together.
"""

from adapter.profiles.folders import data_folder, profiles_in
from adapter.profiles.load import load_profile

__all__ = ["data_folder", "load_profile", "profiles_in"]
