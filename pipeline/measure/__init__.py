"""What a motion amounts to: columns and figures."""
