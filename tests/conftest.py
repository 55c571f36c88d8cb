"""Property tests try the same examples at each run."""

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.load_profile("same")
