"""Settings that a stream can follow: smoothing without later frames, left and right as measured."""

from __future__ import annotations

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError

CAUSAL = {"kalman": "fixed_lag", "fixed_lag": "fixed_lag", "one_euro": "one_euro", "none": "none"}


def causal(config: Config) -> Config:
    """The settings of a live run and of its segments' tables; ``live.tables`` = whole leaves the tables' unchanged.

    PoselineError for a filter that uses later frames.
    """
    if config.smooth.method not in CAUSAL:
        raise PoselineError(
            f"smooth.method = {config.smooth.method}: looks at what comes later; live has fixed_lag, one_euro, none"
        )
    return config if config.live.tables == "whole" else online(config)


def online(config: Config) -> Config:
    """The settings of the stream itself."""
    smooth = config.smooth.model_copy(update={"method": CAUSAL[config.smooth.method], "unswap": False})
    return config.model_copy(update={"smooth": smooth})
