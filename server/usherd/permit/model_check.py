"""Every model asked for must be well-formed, denied by nothing, granted on this route, and under every ceiling."""

from __future__ import annotations

from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome
from usherd.permit.model_lists import ModelSet
from usherd.reasons import Reason


def resolved_model(case: Case) -> str:
    """The model that the gateway should call: the URL's, else the question's, after aliases. Empty: none."""
    if not case.asked.models:
        return ""
    return case.rules.catalogue.resolve(case.asked.models[0], case.team_aliases).name


def models(case: Case) -> Outcome:
    """Denies by form, by a role's deny list (of the name and what it resolves to), lack of a grant, a ceiling."""
    asked = case.asked
    if asked.model_fault is not None:
        note = "The route needs a model." if asked.model_fault is Reason.MODEL_REQUIRED else "A model is malformed."
        return Denied(asked.model_fault, note)
    if case.question.model is None and _refused_without_model(case):
        return Denied(Reason.MODEL_NOT_GRANTED, "The models of the user refuse requests without a model.")
    if not asked.models:
        return NOT_APPLICABLE
    catalogue, aliases = case.rules.catalogue, case.team_aliases
    resolved = [catalogue.resolve(name, aliases) for name in asked.models]
    for role in case.roles:
        for name in asked.models if role.denied_models else ():
            if any(map(role.denied_models.covers, catalogue.names_on_the_way(name, aliases))):
                return Denied(Reason.MODEL_DENIED, f"The role {role.name} denies the model.")
    if case.choice.shortfall is Reason.ROUTE_NOT_GRANTED:
        # Only explanations come here: the routes were denied before. What models there would be granted, none can say.
        return Denied(Reason.ROUTE_NOT_GRANTED, "No grant covers the route, so that none covers a model there.")
    if case.choice.shortfall is not None:
        return Denied(Reason.MODEL_NOT_GRANTED, "No grant that covers the route covers every model asked for.")
    for holder, ceiling in _ceilings(case):
        if not all(map(ceiling.covers, resolved)):
            return Denied(Reason.MODEL_NOT_GRANTED, f"The models of the {holder} do not have every model asked for.")
    return None


def _refused_without_model(case: Case) -> bool:
    """Whether the user's list, as the reference reads it, refuses requests whose body names no model."""
    user, rules = case.identity.user, case.rules
    return user is not None and case.choice.team is None and rules.of_user(user).models.refuses_without_model


def _ceilings(case: Case) -> list[tuple[str, ModelSet]]:
    """Lists that grant nothing and bind all the same. Absent is no ceiling; empty leaves nothing."""
    if case.identity.is_admin:
        return []
    rules, found = case.rules, []
    if (organization := case.binding_organization) is not None:
        found.append(("organization", rules.ceiling(organization)))
    if case.choice.claimed and (user := case.binding_user) is not None:
        found.append(("user", rules.ceiling(user)))
    return [(holder, ceiling) for holder, ceiling in found if ceiling is not None]
