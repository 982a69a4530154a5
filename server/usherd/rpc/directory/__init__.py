"""Serves usher.v1.DirectoryService: what callers may read and change of a directory that is kept."""
