"""Frames to observations: a pure function of a chunk."""
