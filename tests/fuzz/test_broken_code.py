"""The targets can fail: in code that is broken on purpose, each finds what it is there for."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fuzz.short_run import run
from fuzz.target import load
from usherd.authenticate import claims, key_rules, keys, signature, strict_json, verifier
from usherd.config import document, findings
from usherd.config.litellm import emit
from usherd.identify import profile
from usherd.permit import model_lists, route_form, route_match
from usherd.rpc import lenient


def _anything(*args: object, **more: object) -> bool:
    return True


def _nothing(*args: object, **more: object) -> None:
    return None


def _raises(error: BaseException) -> Any:
    def broken(*args: object, **more: object) -> None:
        raise error

    return broken


BROKEN: dict[str, tuple[str, object, str, object]] = {
    "any signature fits": ("token_gate", signature, "_fits", _anything),
    "any signature fits, to every RPC": ("rpc", signature, "_fits", _anything),
    "claims are not looked at": ("claims", claims, "_check_audience", _nothing),
    "a token of any length": ("token_gate", verifier, "check_size", lambda token, most: token.encode()),
    "any depth of JSON": ("strict_json", strict_json, "_deeper_than", lambda *_: False),
    "names that are doubled": ("strict_json", strict_json, "_decode", json.loads),
    "dots in routes": ("routes", route_form, "_SEGMENTS", re.compile(r"[^ ]*")),
    "methods that do not matter": ("routes", route_match, "_METHOD_PREFIX", re.compile("never")),
    "wildcards in the middle that fit nothing": ("models", model_lists, "fits_any", lambda *_: False),
    "keys of any strength": ("key_sets", key_rules, "_MIN_RSA_BITS", 512),
    "keys that are denied": ("key_sets", keys, "usable_members", lambda jwk, **_: dict(jwk)),
    "roles that nobody has": ("claims", profile, "roles_held", lambda *_: (0,)),
    "bytes that are taken for a bug": ("rpc", lenient, "parse", _raises(KeyError("bytes"))),
    "lines that are not there": ("config_text", document, "_plain", _raises(IndexError())),
    "an error of another kind": ("config", findings, "did_you_mean", _raises(ValueError())),
    "a text that says something else": ("litellm", emit, "_PLAIN", re.compile(".*")),
}  # fmt: skip


@pytest.fixture
def own_targets() -> Iterator[None]:
    """Targets that are made anew, and gone afterwards: what broken code lets pass may be remembered."""
    known = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("fuzz.targets.")}
    yield
    for name in [name for name in sys.modules if name.startswith("fuzz.targets.")]:
        del sys.modules[name]
    sys.modules.update(known)


@pytest.mark.usefixtures("own_targets")
@pytest.mark.parametrize(("name", "module", "attribute", "broken"), BROKEN.values(), ids=BROKEN)
def test_broken_code_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, module: object, attribute: str, broken: object
) -> None:
    target = load(name)
    monkeypatch.setattr(module, attribute, broken)

    judge = run(target, target.short_run, until_broken=True)

    assert judge.crashers
