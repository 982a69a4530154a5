"""The queries of what operators are given: alert rules and dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
DASHBOARD = DEPLOY / "grafana" / "usherd.json"

_SELECTOR = re.compile(r"\b((?:usherd|process|python)_[a-z0-9_]+)\b(?!:)\s*(\{[^}]*\})?(?=[^a-z0-9_:(]|$)")
_MATCHER = re.compile(r'\s*([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*(?:,|$)')
_VARIABLES = {"$__rate_interval": "5m", "$instance": ".+"}


@dataclass(frozen=True)
class Selector:
    """A metric by its name, and what its labels must be."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]

    def __str__(self) -> str:
        matchers = ", ".join(f'{label}{how}"{value}"' for label, how, value in self.matchers)
        return f"{self.name}{{{matchers}}}"

    def fits(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether a series is one of these; a label that only the scraper adds is any."""
        labels = {"instance": "here", "job": "usherd"} | dict(labels)
        return name == self.name and all(_holds(labels.get(each[0], ""), *each[1:]) for each in self.matchers)


def _holds(value: str, how: str, wanted: str) -> bool:
    equal = bool(re.fullmatch(wanted, value)) if "~" in how else value == wanted
    return equal != how.startswith("!")


def rules() -> list[dict[str, Any]]:
    """Every rule, recorded or alerting."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every panel with a query."""
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if "targets" in panel]


def queries() -> dict[str, str]:
    """Each query by where it stands, with Grafana's variables filled in."""
    found = {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in panels():
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = _filled(target["expr"])
    for each in dashboard["annotations"]["list"]:
        found[each["name"] + " (annotation)"] = _filled(each["expr"])
    for each in dashboard["templating"]["list"]:
        if each["type"] == "query":
            found[each["name"] + " (variable)"] = each["definition"].removeprefix("label_values(").partition(",")[0]
    return found


def _filled(query: str) -> str:
    for name, value in _VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query, query
    return query


def selectors(query: str) -> Iterator[Selector]:
    """The metrics that a query reads, but for recorded ones."""
    # What is grouped by, and recorded names, are no metrics.
    bare = re.sub(r"\b(?:by|without|on|ignoring)\s*\([^)]*\)", "", query)
    bare = re.sub(r"\busherd:[a-z0-9_:]+", "", bare)
    for name, braces in _SELECTOR.findall(bare):
        inner = braces.strip("{}")
        matchers = tuple(_MATCHER.findall(inner))
        assert not _MATCHER.sub("", inner).strip(), f"cannot be read: {braces}"
        yield Selector(name, matchers)


def every_selector() -> dict[Selector, str]:
    """Each that any query has, and where it stands."""
    return {each: where for where, query in queries().items() for each in selectors(query)}


def missing(series: Iterable[tuple[str, Mapping[str, str]]]) -> list[str]:
    """What the queries read that is not among these series."""
    there = list(series)
    return [
        f"{where}: {each}"
        for each, where in every_selector().items()
        if not any(each.fits(name, labels) for name, labels in there)
    ]
