"""Reads an HTTP request that a gateway passes on as it came: who asks, and what for. What docs/clients.md says of it
holds here, and the cases of clients/cases are its tests."""
