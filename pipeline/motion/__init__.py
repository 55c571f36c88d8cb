"""Motion: one person's observations to a repaired, smoothed time series."""

from pipeline.motion.person import build_motion

__all__ = ["build_motion"]
