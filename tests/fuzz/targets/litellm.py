"""LiteLLM's configurations: what imports is written as YAML that means the same; or every mistake is told with its key.

An input is a letter for the version and what is ignored, and three texts with record separators between: the file, the
environment as JSON, and a file that the first may include.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzz.careful import File, few_modules
from fuzz.mutators import json_mutator, mutate_bytes
from fuzz.target import Target
from fuzz.yaml_mutator import read, written, yaml_mutator
from litellm_files import KEYS, litellm
from usherd.config.document import parse_document
from usherd.config.litellm import LATEST, VERSIONS, Imported, Version
from usherd.config.litellm.files import import_file, settings_of, text_of
from usherd.config.litellm.known_keys import HANDLED, RESTRICTING, TOP_LEVEL
from usherd.config.litellm.versions import JWTAUTH_KEYS
from usherd.config.load import load_document
from usherd.config.problems import ConfigError

TESTS = Path(__file__).resolve().parents[2]
SEPARATOR = b"\n\x1e\n"
PLACE, MORE = File("/litellm/config.yaml"), "/litellm/more.yaml"
IGNORED = ((), tuple(sorted(RESTRICTING))[:5], ("no_such_key",))
SECRET = "sk-a-master-key-that-nobody-may-see"
VARIABLES = ("X", "JWT_AUDIENCE", "JWT_ISSUER", "JWT_PUBLIC_KEY_URL", "LITELLM_MASTER_KEY", "PROXY_ADMIN_ID")


@cache
def _cases() -> list[dict[str, Any]]:
    """What the tests' own tables have."""
    found: list[dict[str, Any]] = []
    for name in ("meanings", "refusals"):
        table = yaml.safe_load((TESTS / "config" / "litellm" / f"{name}.yaml").read_text("utf-8"))
        found += [case for section in table.values() for case in section.values()]
    return found


@cache
def _seeds() -> tuple[bytes, ...]:
    found: list[bytes] = []
    for number, case in enumerate(_cases()):
        config = litellm(case.get("jwtauth"), **case.get("general", {}))
        config |= {"litellm_settings": case.get("settings", {}), **case.get("file", {})}
        environment = {name: value for name, value in (KEYS | case.get("env", {})).items() if value is not None}
        for letter in (b"A", b"B") if number % 3 else (b"A", b"D"):
            found.append(letter + written(config) + SEPARATOR + json.dumps(environment).encode() + SEPARATOR)
    head = "general_settings:\n  enable_jwt_auth: true\n"
    keys = SEPARATOR + json.dumps(KEYS | {"LITELLM_MASTER_KEY": SECRET}).encode() + SEPARATOR
    more = b"model_list: [{model_name: b, litellm_params: {model: openai/b}}]\nlitellm_settings: {max_budget: 2}\n"
    texts = (
        head + "include: [more.yaml]\nmodel_list: [{model_name: a, litellm_params: {}}]\n",
        head + "include: [none.yaml]\n",
        head + "include: more.yaml\n",
        head + "model_list:\n  - &m {model_name: a, litellm_params: {model: openai/a}}\n  - {<<: *m, model_name: b}\n",
        head + "  master_key: os.environ/LITELLM_MASTER_KEY\n  litellm_jwtauth: {custom_validate: json.loads}\n",
        head
        + "  litellm_jwtauth: {custom_validate: nowhere}\nenvironment_variables: {X: 1, Y: os.environ/X, Z: [1]}\n",
        head + f"  master_key: {SECRET}\n",
        "",
        "[]",
        "general_settings: [1]",
    )
    return (*found, *(b"A" + text.encode() + keys + more for text in texts))


def _parts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(part for item in inner for part in _parts(item))]


@cache
def _mutators() -> tuple[Any, Any]:
    parts = [part for seed in _seeds()[::2] for part in _parts(read(seed[1:].split(SEPARATOR)[0]))]
    small = list({json.dumps(part): part for part in parts if len(json.dumps(part)) < 250}.values())
    small += [
        "os.environ/X",
        "os.environ/",
        "json.loads",
        "a.b",
        "openai_routes",
        "/v1/*",
        "true",
        "null",
        "~",
        "no",
        "1e3",
        "a: b",
        "#",
        0.5,
        -1,
    ]
    names = sorted({*JWTAUTH_KEYS[LATEST], *HANDLED, *RESTRICTING, *TOP_LEVEL, "role", "internal_role", "scope"})
    names += ["models", "routes", "issuer", "audience", "jwks_url", "jwt_role", "litellm_role", "model_name", "include"]
    variables = json_mutator((*KEYS.values(), "x", "a,b", "http://localhost/k", "*", SECRET), VARIABLES, mostly=0.98)
    return yaml_mutator(small, names), variables


def _mutate(data: bytes, random: Random) -> bytes:
    for_file, for_environment = _mutators()
    if random.random() < 0.03:
        return mutate_bytes(data, random)
    letter, parts = data[:1], data[1:].split(SEPARATOR)
    choice = random.randrange(10)
    if choice == 0:
        letter = random.choice(b"ABCDEF").to_bytes()
    elif choice == 1 and len(parts) > 1:
        parts[1] = for_environment(parts[1] or b"{}", random)
    elif choice == 2 and len(parts) > 2:
        parts[2] = for_file(parts[2] or b"{}", random)
    else:
        parts[0] = for_file(parts[0], random)
    return letter + SEPARATOR.join(parts)


def _check(data: bytes) -> object:
    letter = data[0] if data else 0
    version = VERSIONS[letter % len(VERSIONS)]
    text, environment, more = [*data[1:].split(SEPARATOR), b"", b""][:3]
    File.FILES[str(PLACE)] = text
    File.FILES[MORE] = more
    try:
        with few_modules():
            found = import_file(PLACE, _variables(environment), version=version, ignore=IGNORED[letter % len(IGNORED)])
    except ConfigError as error:
        _check_problems(error)
        return str(error)
    said = _loaded(found, _variables(environment), version)
    return (repr(found.document), repr(found.comments), found.notes, said)


def _variables(text: bytes) -> dict[str, str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return dict(KEYS)
    value = value if isinstance(value, dict) else {}
    # An environment has no NUL in it; what else it has need not be UTF-8.
    return {name: item for name, item in value.items() if isinstance(item, str) and "\0" not in item}


def _check_problems(error: ConfigError) -> None:
    assert error.problems
    # A file may be called as it likes, and is told by its name.
    assert not any(SECRET in problem.text or SECRET in problem.key for problem in error.problems)
    for problem in error.problems:
        assert problem.text and problem.text.isprintable() and problem.key.isprintable() and len(problem.text) < 2000
        assert problem.file


def _loaded(found: Imported, environment: dict[str, str], version: Version) -> str:
    """What loads of it. Raises if the text does not say the same."""
    text = text_of(found, PLACE, version)
    assert text.isascii() or all(line.startswith(("#", " ")) or line.isascii() for line in text.splitlines())
    document = parse_document(text.encode(), "imported", PLACE.parent)
    assert document.value == found.document, "written otherwise than it was meant"
    try:
        with few_modules():
            settings = settings_of(found, PLACE, environment)
    except ConfigError as error:
        _check_problems(error)
        return str(error)
    with few_modules():
        again = load_document(document, environment)
    assert again.policy.digest == settings.policy.digest, "the text means something else"
    assert settings.policy.preset == "litellm"
    return settings.policy.digest


TARGET = Target(name="litellm", seeds=_seeds, check=_check, mutate=_mutate, max_size=4096, short_run=700)
