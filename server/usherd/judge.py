"""Judges a question about a genuine token: a pure function of policy, profile, facts and question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from usherd.decide import Made, allow, deny
from usherd.domain import (
    SESSION_ISSUER,
    CheckOutcome,
    CheckResult,
    Dependency,
    DependencyKind,
    Explanation,
    Principal,
    PrincipalKind,
    Question,
    Verdict,
    VerificationKey,
    VerifiedToken,
)
from usherd.errors import Refusal
from usherd.facts import Write
from usherd.identify import resolve
from usherd.identify.resolve import identify
from usherd.identity import Profile
from usherd.permit.asked import Asked
from usherd.permit.case import NOT_APPLICABLE, Case, Denied, Outcome, Passed
from usherd.permit.checks import CHECKS, Check
from usherd.permit.model_check import resolved_model
from usherd.permit.permit import Permit
from usherd.permit.principal import LimitsOf, principal_of
from usherd.policy import Policy
from usherd.ports import Facts, Wanted
from usherd.reading import Reading
from usherd.reasons import Reason, reference_status

TOKEN_CHECKS = ("token", "revocation", "hook", "identity")
"""Checks that are made before the directory is read; the authorizer shows that it made them."""

REQUIRED = (*TOKEN_CHECKS, *(check.name for check in CHECKS))
_MADE = {name: Made(name) for name in REQUIRED}
TOKEN_MADE = tuple(_MADE[name] for name in TOKEN_CHECKS)
_PUBLIC = (Made("public"),)


@dataclass(frozen=True, slots=True, eq=False)
class Genuine:
    """A genuine token, ready to be asked about: what it says, and what its being genuine depends on.

    It does not hold the token itself, so that it can live exactly as long as the token is remembered.
    """

    expires_at: float
    key: VerificationKey | None
    """The key that verified it; None for a session or an introspected token, which no public key verifies."""
    profile: Profile
    depends_on: tuple[Dependency, ...]
    wanted: Wanted
    """What questions about it may read of the directory, unless they add something of their own."""


class Judged(NamedTuple):
    """A verdict, and what it wants to have written."""

    verdict: Verdict
    writes: tuple[Write, ...] = ()


class Judge:
    """Makes verdicts under one policy."""

    def __init__(self, policy: Policy, optional: frozenset[str] = frozenset()) -> None:
        """`optional` are the names of those among `revocation` and `hook` that are set up."""
        self._optional = optional
        self._policy = policy
        self._permit = Permit(policy)
        self._limits = LimitsOf()
        self.catalogue = self._permit.rules.catalogue
        self._policy_dependency = Dependency(DependencyKind.POLICY, policy.digest)
        self._issuer_digests = {issuer.name: issuer.digest for issuer in policy.issuers}
        sessions = [each.digest for each in (policy.session, policy.own_sessions) if each is not None]
        if sessions:
            # Of either form: both end with a change of the rules of one.
            self._issuer_digests[SESSION_ISSUER] = "-".join(sessions)

    def wanted(self, holder: Genuine, question: Question) -> Wanted:
        """All that may be read of the directory for this question."""
        adds = question.end_user_id or question.organization_id
        if question.team_alias is None and question.team_id is None and not adds:
            return holder.wanted
        return resolve.wanted(holder.profile, question, self._policy)

    def asked(self, question: Question) -> Asked:
        """The question in canonical form."""
        return self._permit.asked(question)

    def public(self, asked: Asked, *, explain: bool) -> Verdict | None:
        """ALLOW for nobody in particular on a public route, without a look at the token; None on other routes.

        Whether the model is granted is not looked at either, but the gateway is told what it means.
        """
        if not self._permit.is_public(asked):
            return None
        explanation = Explanation(checks=(CheckResult("public", CheckOutcome.PASSED),)) if explain else None
        return allow(
            _PUBLIC,
            ("public",),
            reason=Reason.PUBLIC_ROUTE,
            principal=Principal(kind=PrincipalKind.ANONYMOUS),
            resolved_model=self._meant(asked),
            limits=None,
            depends_on=(self._policy_dependency,),
            explanation=explanation,
        )

    def _meant(self, asked: Asked) -> str:
        """The model that is asked for, after the catalogue's aliases; empty where there is none, or none to call."""
        if not asked.models or asked.model_fault is not None:
            return ""
        return self.catalogue.resolve(asked.models[0], {}).name

    def refused(self, refusal: Refusal, check: str, token: VerifiedToken | None, *, explain: bool) -> Verdict:
        """DENY for a token that is not genuine; or for a genuine `token`, which a later check refuses."""
        depends_on = [self._policy_dependency]
        if token is not None:
            depends_on = self._depends_on(token)
        elif refusal.issuer:
            depends_on.append(self._issuer_dependency(refusal.issuer))
            if refusal.reason is Reason.UNKNOWN_KEY:
                depends_on.append(Dependency(DependencyKind.KEY, f"{refusal.issuer}/", absent=True))
        explanation = None
        if explain:
            result = CheckResult(check, CheckOutcome.DENIED, refusal.reason, refusal.note)
            explanation = Explanation(checks=(*self._before(check), result))
        status = self._status(refusal.reason, refusal.reference_status)
        return deny(refusal.reason, http_status=status, depends_on=depends_on, explanation=explanation)

    def genuine(self, token: VerifiedToken, profile: Profile) -> Genuine:
        """A token with everything that its being genuine depends on."""
        depends_on = self._depends_on(token)
        return Genuine(
            token.expires_at, token.key, profile, tuple(depends_on), resolve.wanted(profile, None, self._policy)
        )

    def judge(self, holder: Genuine, question: Question, asked: Asked, facts: Facts, *, explain: bool) -> Judged:
        """The verdict. The first denial decides; explaining runs the rest, and changes nothing but the explanation."""
        reading = Reading(facts)
        identity = identify(holder.profile, question, reading, self._policy)
        case = self._permit.case(question, asked, identity, reading)
        made = list(TOKEN_MADE)
        denied: Denied | None = None
        writes: list[Write] = []
        results: list[CheckResult] = list(self._before(None)) if explain else []
        for check in CHECKS:
            outcome = _run(check, case)
            if explain:
                results.append(_result(check.name, outcome))
            # Nearly all outcomes are one of these two.
            if outcome is not None and outcome is not NOT_APPLICABLE:
                if isinstance(outcome, Denied):
                    denied = outcome
                    break
                if isinstance(outcome, Passed):
                    writes += outcome.writes
            made.append(_MADE[check.name])
        limits = self._limits.of(case) if denied is None else None
        # What explaining reads behind the first denial is not what the verdict depends on.
        depends_on = (*holder.depends_on, *reading.dependencies())
        explanation = self._explanation(case, results) if explain else None
        if denied is not None:
            verdict = deny(
                denied.reason,
                http_status=self._status(denied.reason, denied.reference_status),
                principal=principal_of(case),
                depends_on=depends_on,
                explanation=explanation,
            )
            return Judged(verdict, tuple(writes) if self._policy.options.provision == "before" else ())
        verdict = allow(
            made,
            REQUIRED,
            reason=Reason.ALLOWED,
            principal=principal_of(case),
            resolved_model=resolved_model(case),
            limits=limits,
            depends_on=depends_on,
            explanation=explanation,
        )
        return Judged(verdict, tuple(writes))

    def _status(self, reason: Reason, exact: int | None) -> int | None:
        if self._policy.options.http_status == "usherd":
            return None
        return reference_status(reason) if exact is None else exact

    def _explanation(self, case: Case, results: list[CheckResult]) -> Explanation:
        done = len(results) - len(TOKEN_CHECKS)
        for check in CHECKS[done:]:
            try:
                results.append(_result(check.name, _run(check, case)))
            except Exception:
                # There is a denial already: a check that cannot be made behind it is only noted.
                results.append(CheckResult(check.name, CheckOutcome.FAULT))
        return Explanation(
            checks=tuple(results),
            roles_held=case.identity.profile.role_names,
            team_candidates=case.identity.team_ids,
        )

    def _depends_on(self, token: VerifiedToken) -> list[Dependency]:
        found = [
            Dependency(DependencyKind.TOKEN, token.token_id),
            self._issuer_dependency(token.issuer),
            self._policy_dependency,
        ]
        if token.key is not None:
            found.append(Dependency(DependencyKind.KEY, f"{token.key.issuer}/{token.key.thumbprint}"))
        return found

    def _before(self, check: str | None) -> Iterable[CheckResult]:
        """How the checks before the directory's went, up to one: those that nothing was set up for did not happen."""
        names = TOKEN_CHECKS if check is None else TOKEN_CHECKS[: TOKEN_CHECKS.index(check)]
        for name in names:
            made = name not in ("revocation", "hook") or name in self._optional
            yield CheckResult(name, CheckOutcome.PASSED if made else CheckOutcome.NOT_APPLICABLE)

    def _issuer_dependency(self, issuer: str) -> Dependency:
        return Dependency(DependencyKind.ISSUER, issuer, self._issuer_digests[issuer])


def _run(check: Check, case: Case) -> Outcome:
    return check.run(case) if check.at_once or not case.identity.at_once else NOT_APPLICABLE


def _result(name: str, outcome: Outcome) -> CheckResult:
    if isinstance(outcome, Denied):
        return CheckResult(name, CheckOutcome.DENIED, outcome.reason, outcome.note)
    made = outcome is None or isinstance(outcome, Passed)
    return CheckResult(name, CheckOutcome.PASSED if made else CheckOutcome.NOT_APPLICABLE)
