"""Matches canonical routes against literal paths, templates and trailing wildcards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from usherd.bounded import Memo
from usherd.permit.route_form import MAX_METHOD_LETTERS

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:path)?\}")
_METHOD_PREFIX = re.compile(r"([A-Z]+) (/.*)")


def compiled_template(pattern: str) -> re.Pattern[str]:
    """A template as an expression for `fullmatch`, each placeholder a named group.

    `{x}` is one segment or a part of one, `{x:path}` one or more segments, a trailing `/*` one or more segments
    more. Everything else is literal.
    """
    trailing = pattern.endswith("/*")
    literal = pattern[:-1] if trailing else pattern
    parts: list[str] = []
    at = 0
    for placeholder in _PLACEHOLDER.finditer(literal):
        parts.append(re.escape(literal[at : placeholder.start()]))
        parts.append(f"(?P<{placeholder[1]}>.+)" if placeholder[2] else f"(?P<{placeholder[1]}>[^/]+)")
        at = placeholder.end()
    parts.append(re.escape(literal[at:]))
    # Where routes need not be canonical, a newline may be in them.
    return re.compile("".join(parts) + (".+" if trailing else ""), re.DOTALL)


class Routes(Protocol):
    """A set of routes, however its members are written."""

    def grants(self, method: str, route: str) -> bool:
        """Whether a grant of this set covers the route. An absent method does not match a pattern with a method."""

    def denies(self, method: str, route: str) -> bool:
        """Whether a denial of this set hits the route. An absent method may be any, and HEAD is a GET in disguise."""


class EveryRoute:
    """Every route there is: where routes are not checked."""

    __slots__ = ()

    def grants(self, method: str, route: str) -> bool:
        """True."""
        return True

    def denies(self, method: str, route: str) -> bool:
        """True."""
        return True


EVERY_ROUTE = EveryRoute()


class LiteralRoutes:
    """Routes that are compared text by text, whatever the method."""

    __slots__ = ("_routes",)

    def __init__(self, routes: Iterable[str]) -> None:
        self._routes = frozenset(routes)

    def grants(self, method: str, route: str) -> bool:
        """Whether that very text is in the set."""
        return route in self._routes

    def denies(self, method: str, route: str) -> bool:
        """Whether that very text is in the set."""
        return route in self._routes


class RouteSet:
    """A set of routes by pattern, each for one method or for all."""

    __slots__ = ("_known", "_literal", "_templates")

    def __init__(self, patterns: Iterable[str]) -> None:
        self._literal: dict[str, set[str]] = {}
        self._templates: list[tuple[str, re.Pattern[str]]] = []
        for pattern in patterns:
            prefixed = _METHOD_PREFIX.fullmatch(pattern)
            method, path = (prefixed[1], prefixed[2]) if prefixed else ("", pattern)
            if "{" in path or path.endswith("/*"):
                self._templates.append((method, compiled_template(path)))
            else:
                self._literal.setdefault(path, set()).add(method)
        # The same few routes are asked for again and again; the bounds keep made-up ones from filling memory.
        self._known: Memo[tuple[str, str, bool], bool] = Memo(512)

    def grants(self, method: str, route: str) -> bool:
        """Whether a grant of this set covers the route. An absent method does not match a pattern with a method."""
        return self._matches(method, route, absent_matches=False)

    def denies(self, method: str, route: str) -> bool:
        """Whether a denial of this set hits the route. An absent method may be any, and HEAD is a GET in disguise."""
        return self._matches(method, route, absent_matches=True)

    def _matches(self, method: str, route: str, *, absent_matches: bool) -> bool:
        key = (method, route, absent_matches)
        known = self._known.get(key)
        if known is None:
            known = self._search(method, route, absent_matches=absent_matches)
            # A question comes with any method, and is asked about before its form is.
            if len(method) <= MAX_METHOD_LETTERS:
                self._known.put(key, known)
        return known

    def _search(self, method: str, route: str, *, absent_matches: bool) -> bool:
        def method_fits(wanted: str) -> bool:
            if wanted in ("", method):
                return True
            # Routers answer HEAD with the handler of GET: what denies the one denies the other.
            return absent_matches and (not method or (wanted == "GET" and method == "HEAD"))

        if any(method_fits(wanted) for wanted in self._literal.get(route, ())):
            return True
        return any(method_fits(wanted) and template.fullmatch(route) for wanted, template in self._templates)


class ModelInRoute:
    """Finds the model that a URL names."""

    __slots__ = ("_known", "_templates")

    def __init__(self, templates: Iterable[str]) -> None:
        self._templates = [compiled_template(template) for template in templates]
        self._known: Memo[str, tuple[str, ...]] = Memo(512)

    def models(self, route: str) -> tuple[str, ...]:
        """Every model that a template reads from the route: more than one only if templates disagree."""
        known = self._known.get(route)
        if known is None:
            found = (template.fullmatch(route) for template in self._templates)
            known = tuple(dict.fromkeys(_model(match.groupdict()) for match in found if match))
            self._known.put(route, known)
        return known


def _model(groups: Mapping[str, str]) -> str:
    return groups["model"]
