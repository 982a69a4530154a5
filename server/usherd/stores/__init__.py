"""Keeps what the core asks for: key sets of the issuers, documents of identity providers, the directory."""
