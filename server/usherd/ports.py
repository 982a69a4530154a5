"""Everything the core asks of the outside world, on one page. Each promise names the error that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from usherd.domain import VerificationKey, VerifiedToken
from usherd.facts import BudgetOwner, BudgetState, EndUser, Membership, Organization, Team, User, Write
from usherd.history import History

Clock = Callable[[], float]
"""Seconds since the epoch. Tokens expire by it."""

Stopwatch = Callable[[], float]
"""Seconds that never jump. Caches and retries age by it."""

NewId = Callable[[], str]
"""A fresh id of 26 characters, different each time."""


class Stage(StrEnum):
    """What a question that is not answered at hand spends its time on."""

    QUEUE = "queue"
    """Waiting for its turn, where it had to."""
    AUTHENTICATE = "authenticate"
    """Is the token genuine? Waiting for keys, revocation and the hook are in it."""
    DIRECTORY = "directory"
    """Reading the directory."""
    JUDGE = "judge"
    """Identify, permit and decide."""


class Cache(StrEnum):
    """What is remembered. The first is asked first, and the others only when it has no answer."""

    ANSWERS = "answers"
    TOKENS = "tokens"
    VERDICTS = "verdicts"

    # The text's own: an enum's is a function in Python, and these are looked up for each question.
    __hash__ = str.__hash__


class Observer(Protocol):
    """Hears how questions that are asked one by one are answered. It neither waits, nor raises, nor takes long."""

    def took(self, stage: Stage, seconds: float) -> None:
        """A stage is over, after so many seconds. One that ends with a fault is not told."""

    def looked_up(self, cache: Cache, *, found: bool) -> None:
        """Something was looked for among what is remembered."""


class Keys(Protocol):
    """The public keys of the issuers, by the issuer's name in the policy."""

    def find(self, issuer: str, kid: str | None) -> VerificationKey | None:
        """The usable, trusted key of that id now, without I/O; None when a loaded set has none.

        `kid` None finds the issuer's only key, if it has exactly one. Raises KeysUnavailable when the issuer's
        set was never loaded or is past its stale bound.
        """

    async def find_fresh(self, issuer: str, kid: str | None, patience: float) -> VerificationKey | None:
        """As `find`, after a forced refresh that is waited for at most `patience` seconds.

        At most one refresh per issuer and cooldown is forced, whoever asks, and only so many callers wait for it: the
        rest get what `find` gives at once. Raises KeysUnavailable as `find`.
        """

    def trusts(self, key: VerificationKey) -> bool:
        """Whether that very key (issuer, kid, thumbprint, algorithms) would still be found. Raises KeysUnavailable."""

    def usable_for(self, key: VerificationKey) -> float:
        """Seconds until that very key is trusted no more if nothing is fetched meanwhile; 0 when it is not now.

        They end with the stale bound of the issuer's set, and for a key that is no longer published with its grace.
        Infinite for keys that are given in full.
        """


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one question may read of the directory: a store that has to fetch can fetch it all at once."""

    issuer: str
    user: str | None = None
    """A user id or subject; also a single sign-on id, where the policy looks users up by that, and the id of a
    new row, where it provisions users."""
    email: str | None = None
    """An address, where the policy looks users up by it."""
    teams: tuple[str, ...] = ()
    team_aliases: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    organization_alias: str | None = None
    end_user: str | None = None


class Facts(Protocol):
    """Rows of the directory at one revision. Reading them is not I/O."""

    @property
    def store(self) -> str:
        """The store's id, 1 to 32 characters without a colon: revisions compare only within it."""

    @property
    def revision(self) -> int:
        """The revision that all rows are of. Each change of the directory has a higher one."""

    @property
    def history(self) -> History:
        """What has changed up to this revision, at the least, in the words of dependencies. The same object as long as
        that is known: facts of another history are of another directory."""

    def user(self, issuer: str, subject: str) -> User | None:
        """The user with that identity. A user without identities is found by its id."""

    def user_by_id(self, user_id: str) -> User | None:
        """The user with that directory id, for sessions, whose ids the directory gave out itself."""

    def user_by_sso(self, sso_id: str) -> User | None:
        """The user with that single sign-on id, whichever issuer gave it; of several, the one with the least id."""

    def user_by_email(self, email: str) -> User | None:
        """The user of that address, compared exactly; of several, the one with the least id by code points."""

    def team(self, issuer: str, team_id: str) -> Team | None:
        """The team of that id which tokens of that issuer may claim."""

    def teams_by_alias(self, issuer: str, alias: str) -> Sequence[Team]:
        """All teams of that alias which tokens of that issuer may claim, in no particular order."""

    def member(self, team_id: str, user_id: str) -> Membership | None:
        """The place of the user of that directory id in the team of that id."""

    def organization(self, organization_id: str) -> Organization | None:
        """The organization of that id."""

    def organizations_by_alias(self, alias: str) -> Sequence[Organization]:
        """All organizations of that alias, in no particular order."""

    def end_user(self, end_user_id: str) -> EndUser | None:
        """The end user of that id."""

    def budget(self, owner: BudgetOwner) -> BudgetState:
        """Where the owner's spend stands against the maximum of its row; WITHIN when the row has none.

        The maximum of the global budget is the policy's, and was told to the store.
        """


class Directory(Protocol):
    """Organizations, teams, users, end users."""

    async def facts(self, wanted: Sequence[Wanted]) -> Facts:
        """Rows for all of `wanted`, the organizations and teams that those rows name, the users' places in all these
        teams, and the state of the budgets of all these, at one revision.

        Raises DirectoryUnavailable: a row that could not be read is never an absent row.
        """

    def at_hand(self) -> Facts | None:
        """Facts for any question that can be read now, without waiting; None when there are none: ask `facts`.

        They may lack rows that were not loaded yet: their store, revision and history are what they are good for.
        """

    async def reach(self, store: str, revision: int) -> None:
        """Returns when facts are at least of that revision. It may wait for ever: the caller has the deadline.

        Raises Precondition when `store` is not this store's id, DirectoryUnavailable when it cannot tell.
        """


class Provisioning(Protocol):
    """Writes what answers want to have written: new users and teams, and their roles and teams kept in step."""

    async def write(self, writes: Sequence[Write]) -> None:
        """Makes all of the writes, in one step; made again, they change nothing.

        Raises DirectoryUnavailable when they could not all be made.
        """


@dataclass(frozen=True, slots=True)
class Introspected:
    """What an issuer said of one of its tokens (RFC 7662, section 2.2). Dates are seconds since the epoch."""

    active: bool
    claims: Mapping[str, object] = field(repr=False)
    """Everything else that it said; empty when the token is not active."""
    asked_at: float
    until: float
    """What it said counts no longer than this."""


class Introspection(Protocol):
    """Issuers that are asked about their tokens, by their names in the policy."""

    async def ask(self, issuer: str, token: str, patience: float) -> Introspected:
        """What the issuer says of the token, or has said less than a while ago.

        It waits for at most `patience` seconds; with 0, only what is known already counts. Raises
        IntrospectionUnavailable: an issuer that gives no answer has not said no.
        """


class Revocations(Protocol):
    """Tokens that were revoked before they expired."""

    def revoked(self, token: VerifiedToken) -> bool:
        """Whether the token was revoked. Raises RevocationsUnavailable when that is not known."""


class Sessions(Protocol):
    """Sessions of usherd's own making: whether those of genuine tokens are known, and not revoked."""

    def valid(self, token: VerifiedToken) -> bool | None:
        """Whether it is; None: that has to be looked up. Raises SessionsUnavailable when nothing can be known now."""

    async def check(self, token: VerifiedToken, patience: float) -> None:
        """Returns if it is, after at most `patience` seconds.

        Raises Refusal (TOKEN_REVOKED), and SessionsUnavailable when that cannot be known.
        """


class Hook(Protocol):
    """A check of the operator's own on the verified claims."""

    async def __call__(self, claims: Mapping[str, object]) -> bool:
        """True: go on; False: refuse the token. Any exception is a fault, unless `hook.on_error` is `deny`."""
