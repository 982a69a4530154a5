"""Where issuers that run leave their keys for `usherd dev token`: in a folder of this user's own, each in its file."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from usherd.cli.dev_issuer import Signer

_NAMES = "issuer-*.json"


class StateUnusable(Exception):
    """The folder for the issuers' keys, or what is in it, cannot be trusted, read or written. The text says why."""


def state_folder() -> Path:
    """The folder. Raises StateUnusable when somebody else could read or change what is in it."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "usherd-dev" if runtime else Path(tempfile.gettempdir()) / f"usherd-dev-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StateUnusable(f"{folder}: {error.strerror or 'cannot be used'}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise StateUnusable(f"{folder}: expected a folder of this user's, which nobody else can read")
    return folder


@contextmanager
def remembered(signer: Signer) -> Iterator[Path]:
    """Leaves the signer's key in a file as long as the block lasts. Raises StateUnusable."""
    folder = state_folder()
    file = folder / _NAMES.replace("*", signer.issuer.rpartition(":")[2])
    pem = signer.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        _sweep(folder)
        opened = _written(file, json.dumps({"issuer": signer.issuer, "key": pem.decode()}))
    except OSError as error:
        raise StateUnusable(f"{folder}: {error.strerror or 'cannot be written'}") from None
    with opened:
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)


def running() -> dict[str, Signer]:
    """The signers of the issuers that run now, by issuer. Raises StateUnusable."""
    found: dict[str, Signer] = {}
    for file in sorted(state_folder().glob(_NAMES)):
        try:
            # One that has ended meanwhile is none.
            with suppress(FileNotFoundError), file.open("rb") as opened:
                if not _is_free(opened.fileno(), fcntl.LOCK_SH):
                    signer = _read(opened.read())
                    found[signer.issuer] = signer
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise StateUnusable(f"{file}: cannot be read; start `usherd dev` again") from None
    return found


def _written(file: Path, text: str) -> IO[str]:
    """The file, locked as long as it is open: who cannot have the lock knows that the issuer lives, and that what it
    reads is whole."""
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    opened = os.fdopen(descriptor, "w", encoding="utf-8")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        opened.write(text)
        opened.flush()
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        opened.close()
        raise
    return opened


def _read(text: bytes) -> Signer:
    state = json.loads(text)
    key = serialization.load_pem_private_key(state["key"].encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("a key of another kind")
    return Signer(issuer=str(state["issuer"]), key=key)


def _sweep(folder: Path) -> None:
    """Removes what was left by issuers that were killed."""
    for file in folder.glob(_NAMES):
        with suppress(FileNotFoundError), file.open("rb") as opened:
            if _is_free(opened.fileno(), fcntl.LOCK_EX):
                file.unlink(missing_ok=True)


def _is_free(descriptor: int, lock: int) -> bool:
    try:
        fcntl.flock(descriptor, lock | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
