"""What a file chooses: the value of each option, and what follows from the preset where nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from usherd.config.fields import NO_BOUND
from usherd.config.schema import File
from usherd.options import PRESETS, Options, with_values

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ALGORITHMS: Mapping[str, frozenset[str]] = {
    "strict": _RSA | {"ES256", "ES384", "ES512", "EdDSA"},
    # The reference makes RSA keys of whatever is published.
    "litellm": _RSA,
}
"""What an issuer may use that names no algorithms, by preset."""
MAX_LIFETIME = 86400.0
"""Seconds."""


def options_of(file: File) -> Options:
    """The preset's values, with those that the file names."""
    given = {info.name: value for _, info, value in (*file.access.options(), *file.insecure.options())}
    return with_values(PRESETS[file.preset], given)


def enforces_rbac(file: File, preset: str) -> bool:
    """Whether a token must hold an internal role: under strict, whoever writes down what they permit means it."""
    if file.access.enforce_rbac is not None:
        return file.access.enforce_rbac
    return preset == "strict" and bool(file.role_mappings or file.role_permissions or file.users.allowed_roles)


def algorithms(given: Sequence[str] | None, preset: str) -> frozenset[str]:
    """The signature algorithms that an issuer may use."""
    return ALGORITHMS[preset] if given is None else frozenset(given)


def max_lifetime(file: File, preset: str, options: Options) -> float | None:
    """The longest lifetime of a token, in seconds; None: any."""
    given = file.token.max_lifetime
    if given is None:
        return None if preset == "litellm" and not options.require_expiry else MAX_LIFETIME
    return None if given == NO_BOUND else given
