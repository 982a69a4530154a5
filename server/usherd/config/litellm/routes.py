"""Turns LiteLLM's lists of routes into usherd's."""

from __future__ import annotations

from collections.abc import Iterable

from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.versions import REFERENCE, ROUTE_GROUPS, Version
from usherd.config.patterns import check_route_pattern
from usherd.config.problems import KeyPath, Unusable, key_text, quoted
from usherd.config.route_groups import built_in

GROUP_PREFIX = "LiteLLMRoutes."
"""How lists of `general_settings` name a group. Lists of `litellm_jwtauth` name it barely."""
PUBLIC = f"{GROUP_PREFIX}public_routes"
EVERYTHING = ("/", "/*")


def granted(entries: Iterable[str], path: KeyPath, version: Version, book: Notebook) -> list[str]:
    """A list that opens routes, of groups and routes.

    Under 1.63 LiteLLM compares texts, and so does usherd then: every entry stays as it is. Later versions have
    templates in their groups, and a `*` at the end of an entry; an entry that no route fits is left out and noted.
    """
    if version == REFERENCE:
        return list(entries)
    found: dict[str, None] = {}
    for index, entry in enumerate(entries):
        if entry in built_in(ROUTE_GROUPS[version]):
            found[entry] = None
        else:
            found.update(dict.fromkeys(_patterns(entry, (*path, index), book)))
    return list(found)


def opened(entries: Iterable[str], path: KeyPath, version: Version, book: Notebook, *, public: bool) -> list[str]:
    """A list of `general_settings` that opens routes, and has no groups: LiteLLM's documentation names some there, with
    `LiteLLMRoutes.` before them, and its code compares them as text.

    `public`: whether it opens them without a token. A `*` at the end of an entry is a pattern only there, and the group
    of LiteLLM's own public routes is open whatever is listed.
    """
    found: dict[str, None] = {}
    for index, entry in enumerate(entries):
        where = (*path, index)
        if public and entry == PUBLIC:
            continue
        if entry.startswith(GROUP_PREFIX) and entry.removeprefix(GROUP_PREFIX) in built_in(ROUTE_GROUPS[version]):
            book.note(
                f"{key_text(where)}: {quoted(entry)} is left out, for LiteLLM opens nothing by it; where it is meant,"
                f" write {entry.removeprefix(GROUP_PREFIX)} into the new file"
            )
        elif version != REFERENCE and "*" in entry and not public:
            book.note(
                f"{key_text(where)}: {quoted(entry)} is left out, for LiteLLM takes the * for a letter, and opens"
                " nothing by it; where a pattern is meant, write it into the new file"
            )
        else:
            found.update(dict.fromkeys(_routes(entry, where, version, book)))
    return list(found)


def closed(entries: Iterable[str], path: KeyPath, version: Version, book: Notebook) -> list[str]:
    """A list of `general_settings` that closes routes: groups after `LiteLLMRoutes.` and patterns count as such."""
    found: dict[str, None] = {}
    for index, entry in enumerate(entries):
        group = entry.removeprefix(GROUP_PREFIX)
        if entry.startswith(GROUP_PREFIX) and group in built_in(ROUTE_GROUPS[version]):
            found[group] = None
        else:
            found.update(dict.fromkeys(_routes(entry, (*path, index), version, book)))
    return list(found)


def _routes(entry: str, path: KeyPath, version: Version, book: Notebook) -> tuple[str, ...]:
    """What fits an entry that is a route; names of groups alone mean nothing."""
    if not entry.startswith("/"):
        _left_out(entry, path, book)
        return ()
    return (entry,) if version == REFERENCE else _patterns(entry, path, book)


def within(entries: Iterable[str], groups: Iterable[str], version: Version) -> list[str]:
    """A list without what its groups have beyond some others. Routes that are written out stay.

    The newest LiteLLM holds everyone who is no administrator against these groups, too, whatever a group of a list has.
    """
    known = built_in(ROUTE_GROUPS[version])
    open_to_all = {pattern for group in groups for pattern in known[group]}
    found: dict[str, None] = {}
    for entry in entries:
        patterns = known.get(entry, ())
        if open_to_all.issuperset(patterns):
            found[entry] = None
        else:
            found.update(dict.fromkeys(pattern for pattern in patterns if pattern in open_to_all))
    return list(found)


def _patterns(entry: str, path: KeyPath, book: Notebook) -> tuple[str, ...]:
    """The patterns that fit what an entry of a later version fits."""
    if entry == "*":
        return EVERYTHING
    if not entry.startswith("/") or "{" in entry:
        # LiteLLM reads templates in its own groups only.
        _left_out(entry, path, book)
        return ()
    if not entry.endswith("*"):
        patterns: tuple[str, ...] = (entry,)
    elif entry.endswith("/*"):
        patterns = EVERYTHING if entry == "/*" else (entry,)
    else:
        patterns = (entry[:-1], f"{entry[:-1]}{{rest:path}}")
    try:
        return tuple(map(check_route_pattern, patterns))
    except Unusable:
        _left_out(entry, path, book)
        return ()


def _left_out(entry: str, path: KeyPath, book: Notebook) -> None:
    book.note(f"{key_text(path)}: {quoted(entry)} is left out: it is no route or group that a request could fit")
