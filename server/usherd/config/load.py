"""Loads a configuration: reads, checks everything in one go, and freezes it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from usherd.config import build, build_callers, directory, envoy, hook, rules, rules_lists, sessions, telemetry
from usherd.config.build_issuers import key_settings
from usherd.config.chosen import options_of
from usherd.config.document import Document, read_document
from usherd.config.findings import readable, there
from usherd.config.latitude import latitude_of
from usherd.config.named_secrets import Reader
from usherd.config.plain_words import validated
from usherd.config.problems import ConfigError, Problem, Unusable, one_of, quoted
from usherd.config.schema import File
from usherd.config.schema_directory import DirectoryFile
from usherd.config.settings import (
    HookSettings,
    KeySettings,
    MetricsSettings,
    ServerSettings,
    Settings,
    TlsSettings,
)
from usherd.config.shadow import candidate_options
from usherd.config.warnings import budget_warnings, shared_cache_warnings
from usherd.facts import Rows
from usherd.options import PRESETS
from usherd.policy import Policy

_SHADOW = ("access", "shadow")
_SEED = ("directory", "seed")


def load(path: Path | str, environment: Mapping[str, str] | None = None) -> Settings:
    """The configuration in a file, with the secrets that it names in the environment (`os.environ` unless given).

    Raises ConfigError with everything that is wrong.
    """
    return load_document(read_document(Path(path)), environment)


def load_document(
    document: Document, environment: Mapping[str, str] | None = None, *, people: Document | None = None
) -> Settings:
    """The configuration in a document that was read already, as `load`; `people` stands in for the directory file."""
    return _settings(document, os.environ if environment is None else environment, people)


def _settings(
    document: Document, environment: Mapping[str, str], given: Document | None, *, is_shadow: bool = False
) -> Settings:
    file, problems = validated(document, File, latitude_of(document.value))
    if file is None:
        raise ConfigError(problems)
    found = rules.check(file, document.folder)
    reader = Reader(file, document, environment)
    secrets = reader.all()
    check, hook_problems = _hook(file, document)
    people, directory_problems, unknown = _directory(file, document, given)
    problems += [document.problem(place, text) for place, text in found]
    problems += reader.problems + hook_problems + directory_problems
    if is_shadow and file.access.shadow is not None:
        problems.append(document.problem(_SHADOW, "a shadow has no shadow of its own; expected no such key"))
    if problems:
        raise ConfigError(problems)
    options = options_of(file)
    keys = tuple(
        key_settings(issuer, document.folder, file.preset, options, secret)
        for issuer, secret in zip(file.issuers, secrets.client_secrets, strict=True)
    )
    try:
        policy = build.policy(file, file.preset, options, keys, secrets.master_key)
        shadow = _shadow(file, document, keys, secrets.master_key, environment, given)
    except OSError:
        raise ConfigError([Problem(document.name, 0, "", "a file of keys changed while it was read")]) from None
    rows = Rows() if people is None else directory.rows(people)
    return Settings(
        # What is told of the directory is no part of the digest: the same policy goes with any rows.
        policy=replace(
            policy,
            warnings=(
                *policy.warnings,
                *budget_warnings(file, rows),
                *shared_cache_warnings(secrets.shared_cache),
                *unknown,
            ),
        ),
        keys=keys,
        directory=rows,
        cached_tokens=file.cache.tokens,
        server=_server(file, document.folder),
        log=file.telemetry.log,
        log_level=file.telemetry.level,
        loopback_http=file.insecure.loopback_http,
        budget_period=file.budgets.together.period,
        hook=check,
        envoy=envoy.rules(file),
        callers=build_callers.rules(file.callers, secrets.credentials),
        decision_log=telemetry.decision_log(file, document.folder),
        traces=telemetry.traces(file, secrets.trace_headers),
        metrics=None
        if file.telemetry.metrics is None
        else MetricsSettings(address=file.telemetry.metrics, remote_allowed=file.insecure.remote_metrics),
        shared_cache=secrets.shared_cache,
        sessions=sessions.settings(file, secrets.session_secrets),
        store=secrets.store,
        shadow=shadow,
    )


def _shadow(
    file: File,
    document: Document,
    keys: Sequence[KeySettings],
    master_key: bytes | None,
    environment: Mapping[str, str],
    people: Document | None,
) -> Policy | None:
    named = file.access.shadow
    if named is None:
        return None
    if named in PRESETS:
        return build.policy(file, named, candidate_options(file, named), keys, master_key)
    for _, text in readable(_SHADOW, document.folder / named):
        raise ConfigError([document.problem(_SHADOW, f"{quoted(named)} {text}, or one of the presets")])
    other = _settings(read_document(document.folder / named), environment, people, is_shadow=True).policy
    ours, theirs = {issuer.name for issuer in file.issuers}, {issuer.name for issuer in other.issuers}
    if ours != theirs:
        # Both are asked with the keys of this file, which are found by the issuer's name.
        text = f"has the issuers {_and(theirs)}; expected those of this file, {_and(ours)}"
        raise ConfigError([document.problem(_SHADOW, text)])
    return other


def _and(names: set[str]) -> str:
    return one_of(sorted(names)).replace(" or ", " and ")


def _hook(file: File, document: Document) -> tuple[HookSettings | None, list[Problem]]:
    try:
        return hook.resolve(file.hooks), []
    except Unusable as error:
        return None, [document.problem(("hooks", "validate"), str(error))]


def _server(file: File, folder: Path) -> ServerSettings:
    tls = file.server.tls
    limits = file.server.limits
    return ServerSettings(
        address=file.server.address,
        reflection=file.server.reflection,
        explanations=file.server.explanations,
        health=file.server.health,
        deadline=limits.deadline,
        concurrency=limits.concurrency,
        streams=limits.streams,
        backlog=limits.backlog,
        connections=limits.connections,
        connection_age=limits.connection_age,
        connection_grace=limits.connection_grace,
        connection_idle=limits.connection_idle,
        handshake=limits.handshake,
        living_streams=limits.living_streams,
        living_decisions=limits.living_decisions,
        checkpoint_every=file.server.checkpoint_every,
        read_within=limits.read_within,
        tls=None
        if tls is None
        else TlsSettings(
            cert=folder / tls.cert,
            key=folder / tls.key,
            client_ca=None if tls.client_ca is None else folder / tls.client_ca,
        ),
        drain=file.server.drain,
        workers=file.server.workers,
        plaintext_allowed=file.insecure.plaintext,
    )


def _directory(
    file: File, document: Document, found: Document | None
) -> tuple[DirectoryFile | None, list[Problem], list[str]]:
    """The rows of the configuration, what is wrong, and names that only the database can know."""
    seed = file.directory.seed
    people: DirectoryFile | None = None
    problems: list[Problem] = []
    if found is not None or seed is not None:
        if found is None and (lost := list(there(_SEED, document.folder / str(seed)))):
            return None, [document.problem(place, text) for place, text in lost], []
        try:
            found = found or read_document(document.folder / str(seed))
        except ConfigError as error:
            return None, list(error.problems), []
        people, problems = validated(found, DirectoryFile, latitude_of(document.value))
        if people is None:
            return None, problems, []
        problems += [found.problem(place, text) for place, text in directory.check(people, file)]
    unknown = [document.problem(place, text) for place, text in directory.check_names(people, file)]
    if file.directory.url is None:
        return people, problems + unknown, []
    unknown += [document.problem(place, text) for place, text in rules_lists.groups_elsewhere(file)]
    return people, problems, [f"{each.key}: {each.text}, unless the database has it" for each in unknown]
