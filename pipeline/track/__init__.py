"""Tracking: observations of all frames to people."""

from pipeline.track.people import assign
from pipeline.track.tracker import Tracker

__all__ = ["Tracker", "assign"]
