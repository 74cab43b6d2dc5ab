"""What these tests share with those of the command line: an installation, and the story's families."""

from tests.acceptance.conftest import _quiet_surroundings, adapter, families

__all__ = ["_quiet_surroundings", "adapter", "families"]
