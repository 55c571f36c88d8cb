"""Property tests try the same examples at each run, however long each takes on a busy machine."""

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")
