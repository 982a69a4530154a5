"""What each guard lets in that is open, in words for an operator."""

from __future__ import annotations

from collections.abc import Mapping

OPENED: Mapping[str, str] = {
    "token.require_expiry": "tokens without exp are taken, and for ever",
    "token.require_issuer": "tokens of any issuer, or of none, are taken if one of the keys verifies them",
    "token.require_audience": "tokens that were made for other services are taken",
    "token.typ": "ID, refresh and logout tokens, and tokens bound to a key, are taken for access tokens",
    "claims.overage": "rules that read groups are judged as if groups that were left out of the token were not there",
    "access.unentitled": "every genuine token has access, even if it maps to nothing here",
    "access.sub_is_entitlement": "whoever has a user or team id in the token has access, known or not",
    "access.route_check": "holders other than administrators, and teams found by groups, may call every route",
    "access.model_required": "routes that need a model may be called without one",
    "access.scope_routes": "scopes permit their models on every route",
    "access.enforce_rbac_id": "access.enforce_rbac alone does not ask for a user or team id",
    "team.object_id_loads": "a team that an object id names need not exist, and its limits do not count",
    "team.none_qualifies": "a request without a model is judged without a team if none of its teams may make it",
    "team.default_entitles": "the default team gives access to tokens that map to nothing here",
    "lists.empty": "an absent or empty list of models grants every model",
    "user.provision": "unknown users and teams are written before it is decided whether they have access",
    "user.email_domain": "addresses of other domains, or not verified, have access; they are only not written",
    "user.email_adoption": "an unknown user acts for the known one whose address the token has",
    "user.routes": "routes for administrators only are open to others whom anything grants them",
    "user.limits_with_team": "beside a team, the user's own block, models and budget do not count",
    "user.blocked": "blocked users have access",
    "user.email_as_id": "an e-mail address stands for a user id that the token lacks",
    "user.sso_match": "a user of one issuer can be found by the id of another's",
    "admin.loaded": "administrators are not looked up: they cannot be blocked, and no budget binds them",
    "end_user.blocked": "blocked end users have access",
    "end_user.judged": "end users that only the question names are not judged",
    "organization.limits": "an organization's block, models and budget do not count",
    "organization.match": "organizations of token, team and question need not agree",
    "member.budget": "a member's budget within the team does not count",
    "model.sources": "models in the URL and among the fallbacks are not judged",
    "model.form": "texts that cannot be a model's name pass where no list of models binds",
    "keys.metadata": "keys verify what they were published for other uses or algorithms",
    "keys.duplicate_kid": "of several keys with one id the last is taken",
    "budgets.boundary": "a budget that is used up exactly does not deny yet",
    "session.identity": "sessions have the words of a provider's token, administrator's scopes among them",
}
"""By the option's name. Every guard is in it."""
