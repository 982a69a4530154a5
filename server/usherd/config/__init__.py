"""Reads the configuration once, checks all of it, and freezes it for everyone else."""
