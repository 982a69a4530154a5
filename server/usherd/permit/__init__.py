"""Asks of an identity and a question: may they? One check a file, each a pure function."""
