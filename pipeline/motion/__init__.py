"""Motion: one person's observations to a repaired, smoothed time series."""

from pipeline.motion.person import build_motion, motion_steps

__all__ = ["build_motion", "motion_steps"]
