"""How hard the property tests try: ``HYPOTHESIS_PROFILE=quick|ci|thorough``.

CI tries the same 300 examples of each every time, so that a failure is the change's and not the day's; the other two
profiles look elsewhere each time.
"""

import os

from hypothesis import settings

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") == "true" else "quick"))
