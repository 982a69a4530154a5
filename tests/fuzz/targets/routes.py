"""Routes: a route has one form or none, and patterns match what a matcher made of plain loops says they do.

An input is patterns, one a line, an empty line, a method in a line, and the route: all that is left.
"""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random

from fuzz.mutators import changed_text, mutate_bytes
from fuzz.target import Target
from usherd.config.patterns import check_route_pattern
from usherd.config.problems import Unusable
from usherd.permit.route_form import MAX_ROUTE_BYTES, canonical_route, well_formed_method
from usherd.permit.route_match import EVERY_ROUTE, LiteralRoutes, ModelInRoute, RouteSet

PATTERNS = (
    "/", "/v1/chat/completions", "/v1/*", "/*", "POST /v1/models", "GET /key/{id}", "HEAD /x", "/a/{x}/b/{y}",
    "/{m:path}",
    "/models/{model}", "/models/{model:path}", "/v1beta/models/{model}:generateContent", "/engines/{model}/*",
    "/a/{x}-{y}", "/a/pre{x}post", "/files/{file:path}/content",
)  # fmt: skip
ROUTES = (
    "/", "", "/v1/chat/completions", "/v1/chat/completions/", "/v1/models?x=1", "//v1", "/v1/../key", "/v1/./x",
    "/v1/.x",
    "/v1/%2e", "/v1;x", "/v1/models/gpt-4o", "/models/a/b/c", "/a/1/b/2", "/v1\\x", "/é", "/v1#x", "/a\n", "*", "v1",
    "/...",
    "/engines/x/y/z", "/v1beta/models/gemini:generateContent", "/" + "a" * 1023, "/" + "a" * 1024, "/files/a/b/content",
)  # fmt: skip
METHODS = ("", "GET", "POST", "HEAD", "get", "G" * 16, "G" * 17, "GE T", "É")


def _seeds() -> list[bytes]:
    some = [_joined([pattern], "GET", route) for pattern in PATTERNS for route in ROUTES[:3]]
    every = [_joined(list(PATTERNS), method, route) for method, route in zip(METHODS * 3, ROUTES, strict=False)]
    return some + every + [_joined([], "", route) for route in ROUTES]


def _joined(patterns: list[str], method: str, route: str) -> bytes:
    return "\n".join([*patterns, "", method, route]).encode("utf-8", "replace")


def _split(data: bytes) -> tuple[list[str], str, str]:
    # Text arrives over gRPC, which lets only UTF-8 pass.
    text = data.decode("utf-8", "replace")
    head, mark, rest = text.partition("\n\n")
    if not mark:
        head, rest = "", text.removeprefix("\n")
    method, _, route = rest.partition("\n")
    return head.split("\n")[:8] if head else [], method, route


def _mutate(data: bytes, random: Random) -> bytes:
    patterns, method, route = _split(data)
    match random.randrange(9):
        case 0:
            patterns.append(random.choice(PATTERNS))
        case 1 if patterns:
            del patterns[random.randrange(len(patterns))]
        case 2 if patterns:
            place = random.randrange(len(patterns))
            patterns[place] = changed_text(patterns[place], random)
        case 3:
            method = random.choice(METHODS)
        case 4:
            route = random.choice(ROUTES)
        case 5 | 6:
            route = changed_text(route, random)
        case 7 if patterns:
            # A route that fits: each placeholder filled in.
            route = re.sub(r"\{[^}/]*\}|\*$", lambda _: random.choice(("a", "b/c", "x:y", "")), random.choice(patterns))
            route = route.rpartition(" ")[2]
        case _:
            return mutate_bytes(data, random)
    return _joined(patterns, method, route)


def _check(data: bytes) -> object:
    written, method, route = _split(data)
    form = canonical_route(route)
    _check_form(route, form)
    patterns = tuple(pattern for pattern in written if _is_pattern(pattern))
    routes, literal = RouteSet(patterns), LiteralRoutes(patterns)
    answers: list[object] = [form, well_formed_method(method)]
    assert well_formed_method(method) == (method == "" or (method.isascii() and method.isalpha() and method.isupper()
                                                            and len(method) <= 16))  # fmt: skip
    for path in {form, route} - {None}:
        assert path is not None
        grants, denies = routes.grants(method, path), routes.denies(method, path)
        # Remembered answers are the same answers.
        assert (routes.grants(method, path), routes.denies(method, path)) == (grants, denies)
        assert grants == any(_covers(pattern, method, path, denies=False) for pattern in patterns), "grants"
        assert denies == any(_covers(pattern, method, path, denies=True) for pattern in patterns), "denies"
        assert denies or not grants, "what is granted could not be denied"
        assert literal.grants(method, path) == literal.denies(method, path) == (path in patterns)
        assert EVERY_ROUTE.grants(method, path) and EVERY_ROUTE.denies(method, path)
        answers += [grants, denies, _models(patterns, path)]
    return answers


def _check_form(route: str, form: str | None) -> None:
    if form is None:
        cut = route.split("?", 1)[0]
        plain = re.fullmatch(r"/[A-Za-z0-9._~/-]*", cut, re.ASCII) is not None and len(cut) <= MAX_ROUTE_BYTES
        assert not plain or "//" in cut or {".", ".."} & set(cut.split("/")), "a plain route was refused"
        return
    assert canonical_route(form) == form, "the form has another form"
    assert form.isascii() and form.startswith("/") and len(form) <= MAX_ROUTE_BYTES and route.startswith(form)
    assert form == "/" or not form.endswith("/")
    assert not set(form) & set('%;\\#*?{}"<> \t\r\n|^`') and not {".", ".."} & set(form.split("/")) and "//" not in form


@lru_cache(maxsize=4096)
def _is_pattern(pattern: str) -> bool:
    try:
        assert check_route_pattern(pattern) == pattern
    except Unusable as error:
        assert str(error).isprintable()
        return False
    return True


def _models(patterns: tuple[str, ...], path: str) -> tuple[str, ...]:
    templates = [pattern for pattern in patterns if re.search(r"\{model(:path)?\}", pattern) and pattern[0] == "/"]
    found = ModelInRoute(templates)
    models = found.models(path)
    assert found.models(path) == models and len(set(models)) == len(models) <= len(templates)
    for model in models:
        assert model and model in path, "a model that the route does not name"
        # With the model written out, what was a template is the route; a name with a template's own signs cannot be.
        plain = not set(model) & set("{}*")
        written = [re.sub(r"\{model(:path)?\}", lambda _, name=model: name, template) for template in templates]
        assert not plain or any(_fits(path, each) for each in written), "the route does not name it there"
    return models


def _covers(pattern: str, method: str, path: str, *, denies: bool) -> bool:
    wanted, mark, rest = pattern.partition(" ")
    if not mark:
        wanted, rest = "", pattern
    if wanted and wanted != method and not (denies and (not method or (wanted == "GET" and method == "HEAD"))):
        return False
    return _fits(path, rest)


def _fits(path: str, pattern: str) -> bool:
    """Whether a path fits a pattern, by trying each length of each placeholder."""
    pieces: list[tuple[str, bool]] = []  # ("", True): one or more of anything; ("", False): the same without a slash
    trailing = pattern.endswith("/*")
    body = pattern[:-1] if trailing else pattern
    at = 0
    for found in re.finditer(r"\{[A-Za-z_][A-Za-z0-9_]*(:path)?\}", body):
        pieces += [(body[at : found.start()], False), ("", found[1] is not None)]
        at = found.end()
    pieces.append((body[at:], False))
    if trailing:
        pieces += [("", True), ("", False)]
    places = {0}
    for number, (text, wide) in enumerate(pieces):
        if number % 2 == 0:
            places = {place + len(text) for place in places if path.startswith(text, place)}
            continue
        reached: set[int] = set()
        for place in places:
            end = place
            while end < len(path) and (wide or path[end] != "/"):
                end += 1
                reached.add(end)
        places = reached
    return len(path) in places


TARGET = Target(name="routes", seeds=_seeds, check=_check, mutate=_mutate, max_size=2048)
