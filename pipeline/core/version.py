"""The version of poseline; pyproject.toml says the same."""

VERSION = "0.1.0"
