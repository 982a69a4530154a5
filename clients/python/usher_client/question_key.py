"""A question as the cache knows it: everything that it says, compared in full."""

from __future__ import annotations

from usher.v1 import question_pb2

Key = tuple[object, ...]
"""Token, route, method, model, fallbacks, team id, team alias, end user, organization, guardrails; never shown."""

MAX_SIZE = 16 * 1024
"""Bytes of a question that is kept, and characters of its key, at most: 10,000 of them have to fit into memory."""
_EACH = 8
"""Characters that a fallback counts for besides its own: many empty ones take room, too."""


def plain_key(
    token: object,
    route: object,
    model: object,
    method: object,
    fallback_models: object,
    team_id: object,
    team_alias: object,
    end_user_id: object,
    organization_id: object,
    modifies_guardrails: object,
) -> Key | None:
    """The key of a question made of nothing but texts, as nearly all are; None for any other."""
    # Only of what is a str, and no kind of one, is it known what it equals.
    if (
        type(token) is not str
        or type(route) is not str
        or (model is not None and type(model) is not str)
        or type(method) is not str
        or (team_id is not None and type(team_id) is not str)
        or (team_alias is not None and (type(team_alias) is not str or team_id is not None))
        or type(end_user_id) is not str
        or type(organization_id) is not str
    ):
        return None
    if fallback_models:
        if type(fallback_models) is not tuple and type(fallback_models) is not list:
            return None
        fallback_models = tuple(fallback_models)
        for each in fallback_models:
            if type(each) is not str:
                return None
    elif fallback_models != ():
        # Such as None or "": no list of names, and asked as one that is denied.
        if type(fallback_models) is not list:
            return None
        fallback_models = ()
    return (
        token,
        route,
        method,
        model,
        fallback_models,
        team_id,
        team_alias,
        end_user_id,
        organization_id,
        bool(modifies_guardrails),
    )


def keepable(key: Key, question: question_pb2.Question) -> bool:
    """Whether the question is small enough to be kept; its key is what was asked before it was cut to be sent."""
    if question.ByteSize() > MAX_SIZE:
        return False
    size = 0
    for part in key:
        if isinstance(part, str):
            size += len(part)
        elif isinstance(part, tuple):
            size += sum(len(each) + _EACH for each in part)
    return size <= MAX_SIZE
