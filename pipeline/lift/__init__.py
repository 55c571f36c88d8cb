"""From 2D tracks to 3D: our own temporal lifter and what places people in one space."""
