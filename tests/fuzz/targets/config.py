"""Configurations: a file and its directory load, and then serve; or every mistake is told with its file, line and key.

An input is the file and, behind a record separator, the directory.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from config_files import ISSUER, TWO_ISSUERS
from fuzz.careful import File, few_modules
from fuzz.mutators import mutate_bytes
from fuzz.no_waiting import NoWaiting
from fuzz.target import Target
from fuzz.yaml_mutator import read, written, yaml_mutator
from keyring import NOW, StaticKeys, key_pair, key_set
from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.config.document import Document, parse_document
from usherd.config.load import load_document
from usherd.config.problems import ConfigError, Problem
from usherd.config.schema import File as Shape
from usherd.config.schema_directory import DirectoryFile
from usherd.config.settings import Settings
from usherd.domain import Decision, Question
from usherd.errors import Fault
from usherd.options import OPTIONS
from usherd.permit.route_form import canonical_route
from usherd.stores.budgets import Budget
from usherd.stores.memory_directory import MemoryDirectory
from worlds import CHAT

TESTS = Path(__file__).resolve().parents[2]
SEPARATOR = b"\n\x1e\n"
SECRET = "a-master-key-that-nobody-may-ever-see-in-a-message"
ENVIRONMENT = {"MASTER": SECRET, "SHORT": "sk-1234", "EMPTY": ""}
FOLDER = File("/folder")
File.FILES.update(
    {
        "/folder/keys.json": json.dumps(key_set(key_pair("Ed25519", "k"))).encode(),
        "/folder/keys.pem": b"-----BEGIN PUBLIC KEY-----\n",
        "/folder/empty": b"",
        "/folder/secret": SECRET.encode() + b"\n",
        "/folder/directory.yaml": b"users: [{id: alice}]\nteams: [{id: red, models: [gpt-4o]}]\n",
        "/folder/broken.yaml": b"users: [\n",
        "/folder/other.yaml": ISSUER.encode() + b"access: {unentitled: allow}\n",
        "/folder/two.yaml": TWO_ISSUERS.encode(),
        "/folder/shadowed.yaml": ISSUER.encode() + b"access: {shadow: litellm}\n",
    }
)
LOOP = NoWaiting()
atexit.register(LOOP.close)


def _keys_of(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        named = schema.get("properties")
        found = set(named) if isinstance(named, dict) else set()
        return found.union(*map(_keys_of, schema.values()))
    return set().union(*map(_keys_of, schema)) if isinstance(schema, list) else set()


@cache
def _stories() -> list[tuple[Any, Any]]:
    """(policy, directory) of every book of stories, and every mistake of errors.yaml."""
    found: list[tuple[Any, Any]] = []
    for path in sorted((TESTS / "stories").rglob("*.yaml")):
        book = yaml.safe_load(path.read_text("utf-8"))
        for each in (book, *(story for story in book.get("stories", []) if isinstance(story, dict))):
            if isinstance(each.get("policy"), dict):
                directory = each.get("directory", book.get("directory"))
                found.append((each["policy"], directory if isinstance(directory, dict) else None))
    return found


@cache
def _mistakes() -> list[bytes]:
    errors = yaml.safe_load((TESTS / "config" / "errors.yaml").read_text("utf-8"))
    found = [(ISSUER + each["file"]).encode() for each in errors["file"].values()]
    found += [(TWO_ISSUERS + each["file"]).encode() for each in errors["several_issuers"].values()]
    found += [ISSUER.encode() + SEPARATOR + each["file"].encode() for each in errors["directory"].values()]
    lines = ["name: idp", "issuer: https://idp.example", "audiences: [api]", "keys: {discovery: true}"]
    for each in errors["issuers"].values():
        key = each["file"].partition(":")[0]
        kept = [line for line in lines if not line.startswith(f"{key}:")]
        text = (
            each["file"]
            if key == "issuers"
            else "issuers:\n  -\n    " + "\n    ".join([kept[0], each["file"], *kept[1:]])
        )
        found.append(text.encode())
    return found


MORE = (
    "access: {shadow: litellm}", "access: {shadow: other.yaml}", "access: {shadow: two.yaml}",
    "access: {shadow: shadowed.yaml}",
    "access: {shadow: none.yaml}", "access: {shadow: broken.yaml}", "preset: litellm",
    "directory: {seed: directory.yaml}",
    "directory: {seed: broken.yaml}", "directory: {seed: empty}", "directory: {seed: \"a\\0b\"}",
    "insecure: {session_master_key: env:MASTER}",
    "insecure: {session_master_key: file:secret}", "insecure: {session_master_key: file:empty}",
    "insecure: {session_master_key: \"file:a\\0b\"}",
    "insecure: {session_master_key: env:SHORT}", "hooks: {validate: 'json:loads', timeout: 1s}",
    "hooks: {validate: math.sqrt}",
    "hooks: {validate: os.path:join}", "hooks: {validate: keyring:NOW}", "hooks: {validate: nowhere:x}",
    "hooks: {validate: json}",
    "server: {tls: {cert: keys.pem, key: empty}}", "server: {address: 'unix:/x'}",
    "server: {address: '[::1]:1', reflection: 'on', explanations: 'off'}",
    "model_aliases: {a: b}\nmodels: [{name: 'openai/*', provider: openai, groups: [g]}, {name: b, aliases: [c]}]",
    "token: {max_size: 64KiB, max_lifetime: 1h}\ncache: {ttl: 0s, tokens: 1}",
    "routes: {groups: {mine: [/a/*, 'GET /b/{x}']}, public: [mine], allowed: [openai_routes], admin_only: [/x]}",
    "routes: {end_user_required: true}",
    f"users: {{routes: [/{'x' * 1100}]}}", "users: {routes: ['/{a}/{a}']}", "users: {routes: ['/{a:path}/*']}",
    "teams: {models: [all-team-models]}", "models: [{name: all-team-models}]", "models: [{name: '*'}, {name: 'a b*'}]",
    "model_aliases: {'a b': all-team-models}", "roles: [{name: a b, when: {x: y}, deny: {models: [all-team-models]}}]",
    "budgets: {enforce: false, global: {max: 10.5, period: 1d}}\ntelemetry: {log: json, level: debug}",
)  # fmt: skip


@cache
def _seeds() -> tuple[bytes, ...]:
    found = [*_mistakes(), *((ISSUER + text + "\n").encode() for text in MORE)]
    keys = (
        "{file: keys.json}",
        "{pem: keys.pem}",
        "{file: none}",
        "{jwks_url: 'https://x.example/k'}",
        "{jwks: {keys: []}}",
        "{discovery: false}",
    )
    found += [ISSUER.replace("{discovery: true}", each).encode() for each in keys]
    for policy, directory in _stories():
        issuers = [{"keys": {"discovery": True}} | issuer for issuer in policy.get("issuers", [])]
        text = written(policy | {"issuers": issuers} if issuers else policy)
        found.append(text if directory is None else text + SEPARATOR + written(directory))
    names = [info.name for info in OPTIONS]
    values = [info.values for info in OPTIONS]
    for name, options in zip(names, values, strict=True):
        found += [
            (ISSUER + f"{section}: {{{name}: {json.dumps(value)}}}").encode()
            for value in options
            for section in ("access", "insecure")
        ]
    return tuple(found)


WORDS = (
    "keys.json", "keys.pem", "empty", "secret", "none", "a\0b", "directory.yaml", "other.yaml", "env:MASTER",
    "file:secret", "json:loads", "1s", "1h", "30d", "0s", "-1s", "1KiB", "*", "all", "{x}", "/a/{x:path}/*",
    "all-proxy-models", "access-group/g", 1e9, 10**18,
)  # fmt: skip


def _parts(value: Any, depth: int = 0) -> list[Any]:
    """What stands in a value, and is worth standing elsewhere."""
    if isinstance(value, dict):
        inner = [part for item in value.values() for part in _parts(item, depth + 1)]
        return [value, *inner] if depth else inner
    if isinstance(value, list):
        return [value, *(part for item in value for part in _parts(item, depth + 1))]
    return [value]


@cache
def _mutators() -> tuple[Any, Any]:
    parts = [part for seed in _seeds()[::2] for text in seed.split(SEPARATOR) for part in _parts(read(text))]
    small = list({json.dumps(part): part for part in parts if len(json.dumps(part)) < 300}.values())
    small += WORDS
    options = [info.name for info in OPTIONS]
    names = sorted(_keys_of(Shape.model_json_schema(by_alias=True))) + options
    rows = sorted(_keys_of(DirectoryFile.model_json_schema(by_alias=True)))
    return yaml_mutator(small, names), yaml_mutator(small, rows)


def _mutate(data: bytes, random: Random) -> bytes:
    for_file, for_directory = _mutators()
    if random.random() < 0.03:
        return mutate_bytes(data, random)
    text, separator, directory = data.partition(SEPARATOR)
    if separator and random.random() < 0.4:
        return text + separator + for_directory(directory, random)
    return bytes(for_file(text, random)) + separator + directory


def _check(data: bytes) -> object:
    text, separator, directory = data.partition(SEPARATOR)
    try:
        document = parse_document(text, "usherd.yaml", FOLDER)
        people = parse_document(directory, "people.yaml", FOLDER) if separator else None
        with few_modules():
            settings = load_document(document, ENVIRONMENT, people=people)
    except ConfigError as error:
        assert error.problems, "refused without a reason"
        assert SECRET[:30] not in str(error), "a secret in a message"
        for problem in error.problems:
            _check_problem(problem, {"usherd.yaml": text, "people.yaml": directory})
        return str(error)
    assert settings.policy.issuers and settings.policy.digest
    assert SECRET[:30] not in repr(settings), "a secret that is shown"
    if len(data) % 4 == 0:
        _serve(settings)
    _check_shadow(document, settings)
    return (settings.policy.digest, settings.policy.warnings, repr(settings.directory), repr(settings.server))


def _check_problem(problem: Problem, texts: dict[str, bytes]) -> None:
    assert problem.text and problem.text.isprintable() and len(problem.text) < 2000, "not to be read"
    assert problem.key.isprintable() and str(problem).isprintable()
    assert problem.file in texts or problem.file.startswith("/"), "of no file"
    if problem.file in texts:
        lines = 2 + sum(
            texts[problem.file].decode("utf-8", "replace").count(end)
            for end in ("\n", "\r", "\x85", "\u2028", "\u2029")
        )
        assert 0 <= problem.line <= lines, "a line that the file does not have"
        assert problem.line or not problem.key, "a place without a line"


def _serve(settings: Settings) -> None:
    """Raises if what loads could not serve."""
    policy = settings.policy
    pair = key_pair("Ed25519", "k")
    keys = StaticKeys.of(**{issuer.name: [pair] for issuer in policy.issuers})
    only = policy.issuers[0].name if len(policy.issuers) == 1 else None
    everyone = Budget(policy.budgets.global_max_micro_usd)
    directory = MemoryDirectory("store", settings.directory, bare_ids_for=only, everyone=everyone, clock=lambda: NOW)
    ids = (f"{number:026d}" for number in itertools.count())
    authorizer = Authorizer(
        policy=policy,
        verifier=Verifier(policy, keys, lambda: NOW, 10),
        keys=keys,
        directory=directory,
        clock=lambda: NOW,
        stopwatch=lambda: 0.0,
        new_id=lambda: next(ids),
    )
    rules = policy.issuers[0].token
    claims = {
        "iss": rules.issuer,
        "aud": sorted(rules.audiences or {"x"})[0],
        "sub": "alice",
        "iat": int(NOW),
        "exp": int(NOW) + 60,
    }
    route = next(filter(canonical_route, itertools.chain(policy.routes.public, [CHAT])))
    for question in (Question(token=pair.token(claims), route=CHAT, model="gpt-4o"), Question(token="x", route=route)):
        try:
            answer = LOOP.run_until_complete(asyncio.wait_for(authorizer.authorize(question), 2.0))
        except Fault as fault:
            raise AssertionError("what loads cannot answer") from fault
        assert isinstance(answer, Decision)


def _check_shadow(document: Document, settings: Settings) -> None:
    value = document.value
    access = value.get("access") if isinstance(value, dict) else None
    named = isinstance(access, dict) and access.get("shadow") is not None
    assert named == (settings.shadow is not None)


TARGET = Target(name="config", seeds=_seeds, check=_check, mutate=_mutate, max_size=6144, short_run=1000)
