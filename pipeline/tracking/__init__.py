"""Observations to identities."""
