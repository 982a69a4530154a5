"""Reads callers' credentials, of which only digests are kept, and freezes what is known of callers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from usherd.callers import MIN_CREDENTIAL, CallerRule, credential_digest, is_credential, rpc_names
from usherd.config.problems import KeyPath, Unusable
from usherd.config.scalars import read_secret
from usherd.config.schema_callers import Caller

_MIN_DISTINCT = 8
"""Different characters in a credential. Of 32 random hexadecimal digits all but one in ten million have more."""


def credentials(
    callers: Sequence[Caller], folder: Path, environment: Mapping[str, str]
) -> tuple[tuple[tuple[bytes, ...], ...], list[tuple[KeyPath, str]]]:
    """The digests of each caller's credentials, and what is wrong with them: places and texts."""
    found: list[tuple[bytes, ...]] = []
    problems: list[tuple[KeyPath, str]] = []
    owners: dict[bytes, str] = {}
    for index, caller in enumerate(callers):
        digests: list[bytes] = []
        for place, reference in enumerate(caller.credential):
            path = ("callers", index, "credential", place)
            try:
                digest = credential_digest(_credential(reference, folder, environment))
            except Unusable as error:
                problems.append((path, str(error)))
                continue
            if (owner := owners.setdefault(digest, caller.name)) != caller.name or digest in digests:
                problems.append((path, f"is a credential of {owner}, too; expected each once"))
            digests.append(digest)
        found.append(tuple(digests))
    return tuple(found), problems


def _credential(reference: str, folder: Path, environment: Mapping[str, str]) -> str:
    try:
        text = read_secret(reference, folder, environment).decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not is_credential(text):
        raise Unusable(
            "cannot be sent as a bearer credential; expected letters, digits and -._~+/ in ASCII, = at the end only,"
            " and at most 4096 of them"
        )
    if len(text) < MIN_CREDENTIAL or len(set(text)) < _MIN_DISTINCT:
        raise Unusable(
            f"is too short or too regular; expected at least {MIN_CREDENTIAL} random characters, as those of"
            " openssl rand -hex 32"
        )
    return text


def rules(callers: Sequence[Caller], digests: Sequence[tuple[bytes, ...]]) -> tuple[CallerRule, ...]:
    """Callers that were checked."""
    return tuple(
        CallerRule(
            name=caller.name,
            spiffe=tuple(caller.spiffe),
            uris=tuple(caller.san.uri),
            dns=tuple(caller.san.dns),
            ips=tuple(caller.san.ip),
            emails=tuple(caller.san.email),
            fingerprints=frozenset(each.replace(":", "").lower() for each in caller.fingerprint),
            credentials=own,
            rpcs=frozenset().union(*map(rpc_names, caller.rpcs)),
            explain=caller.explain,
        )
        for caller, own in zip(callers, digests, strict=True)
    )
