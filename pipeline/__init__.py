"""poseline: long videos of people in, one motion time series per person and an annotated video out."""

from pipeline.core.config import load_config
from pipeline.core.errors import PoselineError
from pipeline.finish import render_run, track
from pipeline.store.read import read_run
from pipeline.workflow import run

__all__ = ["PoselineError", "load_config", "read_run", "render_run", "run", "track"]
__version__ = "0.1.0"
