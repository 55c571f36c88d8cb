"""Tracking: observations of all frames to people."""

from pipeline.track.people import identify
from pipeline.track.tracker import Tracker

__all__ = ["Tracker", "identify"]
