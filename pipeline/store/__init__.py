"""Reads and writes the run folder. No other package knows the files in a run folder."""
