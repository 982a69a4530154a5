"""Serves usher.v1.RevocationService."""
