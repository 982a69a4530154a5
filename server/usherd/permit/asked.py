"""What a question asks for, in canonical form: a route, a method, and every model that must be allowed."""

from __future__ import annotations

from dataclasses import dataclass

from usherd.domain import Question
from usherd.options import Options
from usherd.permit.models import MAX_FALLBACKS, bounded_model, well_formed_model
from usherd.permit.route_form import bounded_route, canonical_route, well_formed_method
from usherd.permit.route_match import ModelInRoute, Routes
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

    @property
    def named_models(self) -> tuple[str, ...]:
        """The models that have a name: to the reference, an empty one is a model in some places and none in others."""
        return tuple(model for model in self.models if model)


def asked_by(question: Question, needs_model: Routes, model_in_route: ModelInRoute, options: Options) -> Asked:
    """Reads a question. The model in the URL comes first: it is the one that will be called."""
    route, route_fault = _route(question, options)
    every = options.model_sources == "every"
    in_url = model_in_route.models(route) if route is not None else ()
    in_route = in_url if every else ()
    named = () if question.model is None else (question.model,)
    fallbacks = question.fallback_models if every else ()
    models = tuple(dict.fromkeys((*in_route, *named, *fallbacks)))
    model_fault: Reason | None = None
    well_formed = well_formed_model if options.model_form == "strict" else bounded_model
    if len(question.fallback_models) > MAX_FALLBACKS or not all(map(well_formed, models)):
        model_fault = Reason.MODEL_INVALID
    elif not (in_url or named) and (fallbacks or _required(question, route, needs_model)):
        # Fallbacks without a model to fall back from name no model to call.
        model_fault = Reason.MODEL_REQUIRED
    return Asked(question.method, route, models, route_fault, model_fault)


def _route(question: Question, options: Options) -> tuple[str | None, Reason | None]:
    if options.route_match == "literal":
        # Compared text by text, so that there is nothing to be ambiguous about but what came in broken.
        route = question.route.split("?", 1)[0]
        if not bounded_route(route):
            return None, Reason.ROUTE_AMBIGUOUS
        return (route, None) if well_formed_method(question.method) else (None, Reason.METHOD_INVALID)
    canonical = canonical_route(question.route)
    if canonical is None:
        return None, Reason.ROUTE_AMBIGUOUS
    return canonical, None if well_formed_method(question.method) else Reason.METHOD_INVALID


def _required(question: Question, route: str | None, needs_model: Routes) -> bool:
    return route is not None and needs_model.denies(question.method, route)
