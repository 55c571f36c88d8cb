"""From a motion to its measures: columns and figures."""
