"""Whether grants are enough: each model must be covered by one grant that covers the route, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from usherd.permit.models import Catalogue
from usherd.permit.rulebook import CompiledGrant
from usherd.reasons import Reason


def shortfall(
    method: str,
    route: str | None,
    models: Sequence[str],
    grants: Sequence[CompiledGrant],
    catalogue: Catalogue,
    team_aliases: Mapping[str, str],
) -> Reason | None:
    """What the grants lack, the route before the models; None when they are enough.

    Grants add up, but one grant's routes never go with another's models.
    """
    if route is None:
        return Reason.ROUTE_NOT_GRANTED
    on_route = [grant for grant in grants if grant.covers_route(method, route)]
    if not on_route:
        return Reason.ROUTE_NOT_GRANTED
    for name in models:
        if not any(_covers(grant, name, catalogue, team_aliases) for grant in on_route):
            return Reason.MODEL_NOT_GRANTED
    return None


def _covers(grant: CompiledGrant, name: str, catalogue: Catalogue, team_aliases: Mapping[str, str]) -> bool:
    if grant.aliases == "followed":
        return grant.covers_model(catalogue.resolve(name, team_aliases))
    return grant.covers_model(catalogue.mapped(name) if grant.aliases == "before" else catalogue.literal(name))
