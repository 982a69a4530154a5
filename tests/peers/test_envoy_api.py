"""The table of Envoy's messages says what Envoy's own API says, field by field."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from usherd.rpc.envoy import wire

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]

XDS_PROTOS = "xds-protos==1.85.0"
_HOME = Path(sys.prefix) / "xds-protos"
"""A folder of its own: installed beside others it would write over their files (docs/decisions/0009-envoy-api.md)."""

_SHOW = """
import json, sys
from envoy.service.auth.v3 import external_auth_pb2, attribute_context_pb2
from envoy.config.core.v3 import base_pb2
from google.protobuf import descriptor_pool
fields = {}
for name in json.load(sys.stdin):
    found = descriptor_pool.Default().FindMessageTypeByName(name).fields
    fields[name] = {
        each.name: [each.number, each.type, each.is_repeated, each.message_type and each.message_type.full_name]
        for each in found
    }
action = base_pb2.HeaderValueOption.HeaderAppendAction.Value("OVERWRITE_IF_EXISTS_OR_ADD")
print(json.dumps({"fields": fields, "overwrite": action}))
"""
_TEXTS, _MESSAGE, _NUMBERS = {9, 12}, 11, {5, 14}
"""Types of fields with one form on the wire: string and bytes, messages, and int32 and enums."""


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    stamp = _HOME / ".made"
    if not stamp.is_file() or stamp.read_text() != XDS_PROTOS:
        target = ["--target", str(_HOME), "--no-deps", "--upgrade", "--quiet", "--disable-pip-version-check"]
        _run([sys.executable, "-m", "pip", "install", *target, XDS_PROTOS])
        # Of what both have, the installed one is the one that runs.
        shutil.rmtree(_HOME / "google" / "rpc")
        (_HOME / "google" / "__init__.py").unlink()
        stamp.write_text(XDS_PROTOS)
    names = [name for name, _ in wire.MESSAGES.values()]
    shown: dict[str, Any] = json.loads(_run([sys.executable, "-c", _SHOW], json.dumps(names)))
    return shown


def _run(command: list[str], typed: str = "") -> str:
    done = subprocess.run(
        command,
        input=typed,
        env={**os.environ, "PYTHONPATH": str(_HOME)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("message", wire.MESSAGES)
def test_every_field_has_its_number_and_its_form(message: str, theirs: dict[str, Any]) -> None:
    full, fields = wire.MESSAGES[message]
    for name, (number, kind) in fields.items():
        their_number, their_type, repeated, their_message = theirs["fields"][full][name]
        one = kind.removesuffix("[]")
        assert (number, kind != one) == (their_number, repeated), name
        if one in wire.MESSAGES:
            assert their_type == _MESSAGE
            # An entry of two texts is one, whatever map it is of.
            assert one == "Entry" or their_message == wire.MESSAGES[one][0]
        else:
            assert their_type in (_NUMBERS if one == wire.NUMBER else _TEXTS), name


def test_overwriting_is_the_number_that_they_have_for_it(theirs: dict[str, Any]) -> None:
    assert theirs["overwrite"] == wire.OVERWRITE_IF_EXISTS_OR_ADD


def test_both_entries_of_two_texts_are_alike(theirs: dict[str, Any]) -> None:
    (name, _) = wire.MESSAGES["Entry"]
    assert {each: values[:3] for each, values in theirs["fields"][name].items()} == {
        "key": [1, 9, False],
        "value": [2, 9, False],
    }
