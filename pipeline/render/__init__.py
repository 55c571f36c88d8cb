"""The tables as pictures: annotated video, plots, contact sheets."""
