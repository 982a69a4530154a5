"""Asks usherd, and fails closed."""
