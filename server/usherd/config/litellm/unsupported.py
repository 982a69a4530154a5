"""Refuses LiteLLM's keys that restrict access and that usherd does not implement, and tells of some others."""

from __future__ import annotations

from collections.abc import Collection

from usherd.config.litellm.known_keys import (
    HANDLED,
    RESTRICTING,
    RESTRICTING_JWTAUTH,
    RESTRICTING_LITELLM,
    RESTRICTING_TEAM_PARAMS,
    TOLD,
    TOP_LEVEL,
    UNRESTRICTING,
    Restricting,
)
from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.values import Section
from usherd.config.problems import did_you_mean, key_text

_UNKNOWN = "is not known to restrict access or not"


def check_keys(top: Section, book: Notebook) -> None:
    """All keys but those of `litellm_jwtauth`."""
    general, settings = top.section("general_settings"), top.section("litellm_settings")
    _refuse_unknown(top, TOP_LEVEL, book)
    _refuse(general, RESTRICTING, book)
    _refuse_unknown(general, HANDLED | UNRESTRICTING | RESTRICTING.keys(), book)
    # Of these there are hundreds, nearly all about models and logs, and they change with each version.
    _refuse(settings, RESTRICTING_LITELLM, book)
    _refuse(settings.section("default_team_params"), RESTRICTING_TEAM_PARAMS, book)
    for (place, key), text in TOLD.items():
        section = top.section(place)
        if section.raw(key):
            book.note(f"{key_text(section.at(key))}: {text}")
    if top.raw("guardrails"):
        book.note("guardrails: they go on running in LiteLLM; usherd does not run them")


def refuse_in_jwtauth(section: Section, book: Notebook) -> None:
    """Keys of `litellm_jwtauth`, or of one of its issuers, that restrict."""
    _refuse(section, RESTRICTING_JWTAUTH, book)
    if section.raw("oidc_userinfo_enabled"):
        book.note(
            f"{key_text(section.at('oidc_userinfo_enabled'))}: usherd takes tokens that are JWTs only, so opaque ones"
            " are denied"
        )


def _refuse(section: Section, table: Restricting, book: Notebook) -> None:
    for key in section:
        if key in table:
            why, restricts = table[key]
            if restricts(section.raw(key)):
                book.refuse(section.at(key), why)


def _refuse_unknown(section: Section, known: Collection[str], book: Notebook) -> None:
    for key in section:
        if key not in known:
            book.refuse(section.at(key), f"{_UNKNOWN}{did_you_mean(key, known)}")
