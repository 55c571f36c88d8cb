"""One person's observations to a repaired, smoothed path in the picture."""
