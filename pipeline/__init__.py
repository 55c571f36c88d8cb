"""poseline: long videos of people in, one motion time series per person and an annotated video out."""

# Imported here and not on first use: `pipeline.run` has to be the function, though a module has the same name.
from pipeline.config import load_config
from pipeline.errors import PoselineError
from pipeline.finish import render_run, track
from pipeline.read import read_run
from pipeline.run import run

__all__ = ["PoselineError", "load_config", "read_run", "render_run", "run", "track"]
__version__ = "0.1.0"
