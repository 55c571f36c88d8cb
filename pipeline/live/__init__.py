"""Streams without end: people of a live source, as they come, in segments that are runs of their own."""
