"""The run folder, read and written. No other room knows its files."""
