"""Makes usherd's configuration of LiteLLM's: the parts, in the order of the file."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usherd.config.document import Document
from usherd.config.litellm import catalogue, custom_validate, people, roles, routes
from usherd.config.litellm.comments import comments_of
from usherd.config.litellm.insecure import insecure
from usherd.config.litellm.issuers import CHECKS, issuers
from usherd.config.litellm.jwtauth import JwtAuth, read_jwtauth
from usherd.config.litellm.key_sources import bounded_duration
from usherd.config.litellm.newest import newest_options
from usherd.config.litellm.notebook import Notebook
from usherd.config.litellm.unsupported import check_keys
from usherd.config.litellm.values import Section, named_variable
from usherd.config.litellm.versions import LATEST, ROUTE_GROUPS, Version
from usherd.config.problems import KeyPath, key_text, kind_of_value
from usherd.options import OptionValue
from usherd.policy import ANY_ISSUER

_PERIOD = re.compile(r"([0-9]{1,9})(s|m|h|d|mo)")

Rules = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A configuration of usherd that means what one of LiteLLM means."""

    document: Mapping[str, Any]
    """As `config.load.load_document` takes it."""
    comments: Mapping[KeyPath, str]
    """A sentence for each option by which `strict` would answer otherwise, by places of the document."""
    notes: tuple[str, ...]
    """What else the operator should know: what was left out, and what goes on in LiteLLM alone."""


def import_litellm(
    config: Mapping[str, object],
    environment: Mapping[str, str],
    *,
    version: Version = LATEST,
    ignore: Collection[str] = (),
    keys: object = None,
    folder: Path = Path(),
    source: Document | None = None,
) -> Imported:
    """The configuration that means the same. A pure function, but for the module of `custom_validate`.

    `environment`: what LiteLLM would be started with. `ignore`: keys that restrict access and may be left out.
    `keys`: a key document, in the place of one to be fetched. `folder`, `source`: where `config` is from, for messages.

    Raises ConfigError with everything that LiteLLM of that version refuses, and that usherd cannot mean.
    """
    book = Notebook(ignore, source)
    own = _texts(environment)
    checks = CHECKS[version]
    for name in sorted(checks & (environment.keys() - own.keys())):
        book.variable(name, "is not UTF-8, and no token is like it; expected a text, or no such variable")
    task = _Task(
        config=config,
        own=own,
        # LiteLLM reads its file's variables by their names, too: one that is set stays what it is.
        environment=_variables(config, own, checks - environment.keys(), book) | own,
        version=version,
        keys=keys,
        folder=folder,
        book=book,
    )
    made = task.document()
    book.close()
    return Imported(document=made, comments=comments_of(made, book.remarks), notes=book.notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    config: Mapping[str, object]
    own: Mapping[str, str]
    """The environment as usherd will find it, too."""
    environment: Mapping[str, str]
    """The same, with what LiteLLM's file sets."""
    version: Version
    keys: object
    folder: Path
    book: Notebook

    def document(self) -> Rules:
        """The configuration; mistakes are in the notebook."""
        version, book = self.version, self.book
        top = Section(self.config, (), book, self.environment)
        general, settings = top.section("general_settings"), top.section("litellm_settings")
        check_keys(top, book)
        if general.raw("enable_jwt_auth") is not True:
            text = "is not true, so LiteLLM takes no JWT; expected true, without quotes"
            book.problem(general.at("enable_jwt_auth"), text)
        auth = read_jwtauth(general.section("litellm_jwtauth"), version, book)
        owners = issuers(auth, self.environment, version, self.keys, book)
        each = [{"issuer": issuer["name"]} for issuer in owners] if len(owners) > 1 else [{}]
        parts: Rules = {
            "preset": "litellm",
            "issuers": owners,
            "admin": roles.admin(auth, each, version, book),
            "role_mappings": roles.role_mappings(auth, each),
            "role_permissions": roles.role_permissions(general, version, book),
            "scopes": roles.scopes(auth, each, version, book),
            "users": people.users(auth, settings, version, book),
            "teams": people.teams(auth, owners, settings, version, book),
            "access": _access(auth, general, owners, version),
            "routes": _routes(general, version, book),
            "budgets": _budgets(settings, book),
            "hooks": custom_validate.hooks(auth, self.folder, book),
            "models": catalogue.models(top, book),
            "model_aliases": catalogue.aliases(settings),
            "cache": _cache(general, book),
            "insecure": insecure(general, owners, self.own, book),
        }
        return {key: part for key, part in parts.items() if part}


def _access(auth: JwtAuth, general: Section, owners: list[Rules], version: Version) -> dict[str, OptionValue]:
    made: dict[str, OptionValue] = {"enforce_rbac": auth.enforce_rbac, "enforce_id": general.switch("enforce_rbac")}
    # Where a guard has nothing to let in, it need not be open.
    if owners and all("audiences" in issuer for issuer in owners):
        made["token.require_audience"] = True
    if owners and all(issuer["issuer"] != ANY_ISSUER for issuer in owners):
        made["token.require_issuer"] = True
    if version == LATEST:
        made |= newest_options(auth, owners, general)
    return made


def _routes(general: Section, version: Version, book: Notebook) -> Rules:
    made: Rules = {"version": ROUTE_GROUPS[version]}
    public = general.texts("public_routes") or []
    named = routes.opened(public, general.at("public_routes"), version, book, public=True)
    # LiteLLM's own public routes stay public whatever else is listed.
    made["public"] = list(dict.fromkeys(("public_routes", *named)))
    # Left empty, these two refuse every request in LiteLLM: they must not become no restriction.
    if (allowed := general.texts("allowed_routes", nullable=False)) is not None:
        made["allowed"] = routes.opened(allowed, general.at("allowed_routes"), version, book, public=False)
    if (admin_only := general.texts("admin_only_routes", nullable=False)) is not None:
        made["admin_only"] = routes.closed(admin_only, general.at("admin_only_routes"), version, book)
    if general.switch("enforce_user_param"):
        made["end_user_required"] = True
    return made


def _budgets(settings: Section, book: Notebook) -> Rules | None:
    most = settings.number("max_budget", nullable=True)
    if not most:
        return None
    book.budget(settings.at("max_budget"))
    made: Rules = {"max": most, "period": "30d"}
    duration = settings.text("budget_duration")
    if duration is not None and (found := _PERIOD.fullmatch(duration)):
        made["period"] = f"{int(found[1]) * 30}d" if found[2] == "mo" else duration
    elif duration is not None:
        text = "is no duration; expected a number and s, m, h, d or mo, as 30d"
        book.problem(settings.at("budget_duration"), text)
    return {"global": made}


def _cache(general: Section, book: Notebook) -> Rules | None:
    seconds = general.number("user_api_key_cache_ttl", nullable=True)
    if seconds is None:
        return None
    return {"ttl": bounded_duration(seconds, 0.0, 3600.0, general.at("user_api_key_cache_ttl"), book)}


def _texts(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are UTF-8. No file can hold the others, and no token or URL is like them."""
    return {name: value for name, value in environment.items() if _is_utf8(value)}


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _variables(
    config: Mapping[str, object], environment: Mapping[str, str], checks: Collection[str], book: Notebook
) -> dict[str, str]:
    """What `environment_variables` sets when LiteLLM starts. `checks` must have a value where they are listed: LiteLLM
    refuses every token where one has none, which must not become that nothing is checked."""
    given = config.get("environment_variables") or {}
    found: dict[str, str] = {}
    if not isinstance(given, Mapping):
        book.problem(("environment_variables",), f"is {kind_of_value(given)}; expected a mapping of names to values")
        return found
    for name, value in given.items():
        path = ("environment_variables", name)
        variable = named_variable(value)
        if variable is not None:
            value = environment.get(variable)
        if value is not None and not isinstance(value, (Mapping, list)):
            found[name] = str(value)
        elif name not in checks:
            book.note(f"{key_text(path)}: has no value")
        elif variable is not None:
            book.problem(path, f"the environment variable {variable} is not set; expected it to hold the value")
        else:
            book.problem(path, f"is {kind_of_value(value)}; expected a text, or no such key")
    return found
