"""Property tests try the same examples at each run; networks that a user keeps by name are not seen by any test."""

import os

from hypothesis import settings

os.environ["POSELINE_MODELS"] = os.devnull + "/models"  # a folder that cannot be there

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")
