"""Makes the section `insecure:`: sessions under LiteLLM's master key, and keys from this machine without TLS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from usherd.config.litellm.key_sources import needs_loopback_http
from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.values import Section, named_variable
from usherd.config.named_secrets import MIN_KEY
from usherd.config.problems import key_text

MASTER_KEY = "LITELLM_MASTER_KEY"
"""The variable that LiteLLM takes its master key from, unless its file says otherwise."""


def insecure(
    general: Section, issuers: Sequence[Mapping[str, Any]], environment: Mapping[str, str], book: Notebook
) -> dict[str, Any]:
    """What is laxer than it should be. `environment` is what usherd itself will find: a reference must lead there."""
    made: dict[str, Any] = {}
    reference = _master_key(general, environment, book)
    if reference is not None:
        made["session_master_key"] = reference
        book.remark(
            ("insecure", "session_master_key"),
            "Takes sessions of LiteLLM's user interface; leave it out if nobody comes with one.",
        )
    if any(needs_loopback_http(issuer["keys"]) for issuer in issuers):
        made["loopback_http"] = True
    return made


def _master_key(general: Section, environment: Mapping[str, str], book: Notebook) -> str | None:
    """A reference to the master key. The key itself is never written down."""
    value = general.raw("master_key")
    place = key_text(general.at("master_key"))
    name = MASTER_KEY if value is None else named_variable(value)
    if name is None:
        book.note(
            f"{place}: a secret is not copied, so sessions of the user interface are not taken; for these write"
            f" os.environ/{MASTER_KEY} there, and set the variable"
        )
        return None
    key = environment.get(name)
    if key is None and value is None:
        return None
    if key is None or len(key.encode()) < MIN_KEY:
        book.note(
            f"{name}: is not set, or has less than {MIN_KEY} bytes and could be found by trying; sessions of the"
            " user interface are not taken"
        )
        return None
    return f"env:{name}"
