"""Reads what a command shows of itself to a server that tells its callers apart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypedDict

from usherd.cli.console import fail

VARIABLE = "USHERD_CREDENTIAL"
"""The environment variable with the credential: an argument could be seen by every user of the machine."""


class CallerLink(TypedDict):
    """How to reach a server, as `dial` takes it."""

    root_certificates: bytes | None
    identity: tuple[bytes, bytes] | None
    credential: str | None


def caller_link(ca: Path | None, cert: Path | None, key: Path | None, credential_file: Path | None) -> CallerLink:
    """What those files hold. One that cannot be read or used ends the command."""
    if (cert is None) != (key is None):
        fail("expected --cert and --key together")
    return CallerLink(
        root_certificates=None if ca is None else _read(ca),
        identity=None if cert is None or key is None else (_read(cert), _read(key)),
        credential=_credential(credential_file),
    )


def _credential(file: Path | None) -> str | None:
    if file is None:
        name, text = VARIABLE, os.environ.get(VARIABLE)
        if not text:
            return None
    else:
        name, text = str(file), _read(file).decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
    from usherd.callers import is_credential

    if not is_credential(text):
        fail(f"{name}: holds no credential; expected ASCII letters, digits and -._~+/, = at the end only")
    return text


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror or 'unknown error'}")
