"""Truth against result."""
