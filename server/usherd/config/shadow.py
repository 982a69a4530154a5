"""Makes the shadow policy: the candidate under which answers are computed as well, to tell what it would change.

For a preset, it is the policy that the same file would be with that `preset:`. Options under `access:` keep their
value; guards that are open only by `insecure:`, or by the preset of now, are closed, for that is what the shadow
is to show. But some of what a laxer file writes cannot be read strictly: then the option that it needs stays as it
is, so that the candidate is as strict as this file can be. Those are, in the order of `_NEEDED`:

* `issuer: "*"` needs `token.require_issuer: false`, an issuer without audiences `token.require_audience: false`,
* `max_lifetime: none` needs `token.require_expiry: false`,
* `provision.when.always` needs `user.provision: before`,
* two `role_permissions` of one role need `access.role_precedence: first`,
* entries of lists of routes that are no routes need `route.match: literal`.

A candidate has no keys of its own: those of the live policy are loaded under its options, so that the options
`keys.documents`, `keys.duplicate_kid`, `keys.kidless_token` and `keys.metadata` of a candidate do not act.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from usherd.config import rules_lists
from usherd.config.fields import NO_BOUND
from usherd.config.route_groups import RouteGroups
from usherd.config.schema import File
from usherd.options import PRESETS, Options, OptionValue, with_values
from usherd.policy import ANY_ISSUER


def candidate_options(file: File, preset: str) -> Options:
    """The options of a file that was checked, under another preset."""
    guards_of = PRESETS[preset]
    values: dict[str, OptionValue] = {}
    for _, info, value in file.access.options():
        if not info.guard or value == info.strict or getattr(guards_of, info.attribute) == value:
            values[info.name] = value
    options = with_values(guards_of, values)
    needed = {name: value for name, (value, is_needed) in _NEEDED.items() if is_needed(file)}
    return with_values(options, needed)


def _provisions_always(file: File) -> bool:
    return any(each is not None and each.when.always for each in (file.users.provision, file.teams.provision))


def _has_double_permissions(file: File) -> bool:
    roles = [permission.role for permission in file.role_permissions]
    return len(roles) > len(set(roles))


def _has_other_texts(file: File) -> bool:
    groups = RouteGroups(file.routes.version, file.routes.groups)
    return any(rules_lists.routes(file, groups))


_NEEDED: Mapping[str, tuple[OptionValue, Callable[[File], bool]]] = {
    "token.require_issuer": (False, lambda file: any(issuer.issuer == ANY_ISSUER for issuer in file.issuers)),
    "token.require_audience": (False, lambda file: any(issuer.audiences is None for issuer in file.issuers)),
    "token.require_expiry": (False, lambda file: file.token.max_lifetime == NO_BOUND),
    "user.provision": ("before", _provisions_always),
    "access.role_precedence": ("first", _has_double_permissions),
    "route.match": ("literal", _has_other_texts),
}
