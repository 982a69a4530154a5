"""What a question asks for, in canonical form: a route, a method, and every model that must be allowed."""

from __future__ import annotations

from dataclasses import dataclass

from usherd.domain import Question
from usherd.permit.models import MAX_FALLBACKS, well_formed_model
from usherd.permit.route_form import canonical_route, well_formed_method
from usherd.permit.route_match import ModelInRoute, RouteSet
from usherd.reasons import Reason


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's route and models, and what is wrong with their form."""

    method: str
    route: str | None
    """Canonical; None when there is no canonical form."""
    models: tuple[str, ...]
    """Every model that must be allowed, the one to be called first. Empty: none is asked for."""
    route_fault: Reason | None
    """ROUTE_AMBIGUOUS or METHOD_INVALID."""
    model_fault: Reason | None
    """MODEL_INVALID or MODEL_REQUIRED."""

    @property
    def well_formed(self) -> bool:
        """Whether route, method and models are within their bounds, and so worth remembering."""
        return self.route_fault is None and self.model_fault is not Reason.MODEL_INVALID


def asked_by(question: Question, needs_model: RouteSet, model_in_route: ModelInRoute) -> Asked:
    """Reads a question. The model in the URL comes first: it is the one that will be called."""
    route = canonical_route(question.route)
    route_fault: Reason | None = None
    if route is None:
        route_fault = Reason.ROUTE_AMBIGUOUS
    elif not well_formed_method(question.method):
        route_fault = Reason.METHOD_INVALID
    in_route = () if route is None else model_in_route.models(route)
    named = () if question.model is None else (question.model,)
    if in_route == named and not question.fallback_models:
        models = named
    else:
        models = tuple(dict.fromkeys((*in_route, *named, *question.fallback_models)))
    model_fault: Reason | None = None
    if len(question.fallback_models) > MAX_FALLBACKS or not all(map(well_formed_model, models)):
        model_fault = Reason.MODEL_INVALID
    elif not (in_route or named) and (question.fallback_models or _required(question, route, needs_model)):
        # Fallbacks without a model to fall back from name no model to call.
        model_fault = Reason.MODEL_REQUIRED
    return Asked(question.method, route, models, route_fault, model_fault)


def _required(question: Question, route: str | None, needs_model: RouteSet) -> bool:
    return route is not None and needs_model.denies(question.method, route)
