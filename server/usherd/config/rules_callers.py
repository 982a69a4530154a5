"""Callers that nobody could be, or anybody; and what their file says twice, in two ways."""

from __future__ import annotations

from usherd.config.findings import Found, filled, twice
from usherd.config.problems import KeyPath
from usherd.config.schema import File
from usherd.config.schema_callers import Caller

_NOTHING = "expected at least one value, or no such key"


def check(file: File) -> Found:
    """Everything that is wrong with the callers of a file, but for their credentials."""
    if "callers" in file.model_fields_set:
        why = "without callers everybody is let in; expected at least one, or no such key where that is meant"
        yield from filled(("callers",), file.callers, why)
    yield from twice(("callers",), [caller.name for caller in file.callers], "name", "the name")
    for index, caller in enumerate(file.callers):
        path: KeyPath = ("callers", index)
        yield from _evidence(path, caller, file)
        yield from filled((*path, "rpcs"), caller.rpcs, "a caller that may call nothing is none")
    yield from _explanations(file)
    if file.server.health == "callers" and not file.callers:
        yield ("server", "health"), "callers may ask, and there are none; expected open, or callers"


def _evidence(path: KeyPath, caller: Caller, file: File) -> Found:
    for key in ("spiffe", "fingerprint", "credential"):
        if key in caller.model_fields_set:
            yield from filled((*path, key), getattr(caller, key), _NOTHING)
    for key in caller.san.model_fields_set:
        yield from filled((*path, "san", key), getattr(caller.san, key), _NOTHING)
    certificate = wants_certificate(caller)
    if not certificate and not caller.credential:
        yield path, "shows nothing, so anybody could be it; expected spiffe, san, fingerprint or credential"
    if certificate and (file.server.tls is None or file.server.tls.client_ca is None):
        yield (
            path,
            "is known by its certificate, and none is asked for; expected server.tls.client_ca, the authorities whose"
            " certificates are taken",
        )


def wants_certificate(caller: Caller) -> bool:
    """Whether a certificate is part of what it must show."""
    san = caller.san
    return any((caller.spiffe, caller.fingerprint, san.dns, san.uri, san.ip, san.email))


def _explanations(file: File) -> Found:
    explanations, path = file.server.explanations, ("server", "explanations")
    if explanations == "on" and file.callers:
        yield path, "with callers, each says it itself; expected auto or no such key, and explain: true where it holds"
    if explanations == "off":
        for index, caller in enumerate(file.callers):
            if caller.explain:
                yield ("callers", index, "explain"), "nobody may see explanations; expected server.explanations: auto"
