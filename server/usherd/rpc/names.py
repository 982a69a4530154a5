"""Names in the protocol: a client has them from here, and so needs nothing of what serves."""

from __future__ import annotations

AUTHORIZATION = "usher.v1.AuthorizationService"
DIRECTORY = "usher.v1.DirectoryService"
REVOCATION = "usher.v1.RevocationService"
SESSION = "usher.v1.SessionService"
HEALTH = "grpc.health.v1.Health"

CREDENTIAL = "authorization"
"""The metadata in which a caller shows its credential, after `Bearer `."""
