from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

import keyring
import worlds
from keyring import NOW, StaticKeys, key_pair
from usherd.authenticate.verifier import Verifier
from usherd.changes import Lookup, News, Sought
from usherd.domain import Decision, DependencyKind, Effect, VerifiedToken
from usherd.errors import RevocationsUnavailable
from usherd.policy import Policy
from usherd.reasons import Reason
from usherd.revocations import Entry, Snapshot, told
from usherd.revoked import PolicyRevocations, RevokedTokens
from worlds import CHAT, World, encoding, finished

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256 (SEC 2, section 2.4.2)."""
KEY = b"k" * 32


class Listed:
    """A world with a list of revoked tokens."""

    def __init__(self) -> None:
        self.current = True
        self.list = RevokedTokens(lambda: NOW, lambda: self.current)
        self.list.load(Snapshot({}, 1))
        self.world = World(revocations=PolicyRevocations(self.list, worlds.policy()))
        self._revisions = itertools.count(2)

    def change(self, entry: Entry, *, lifted: bool = False) -> None:
        revision = next(self._revisions)
        self.list.hear(News(revision, frozenset(), (entry.which, told(entry, revision, lifted=lifted)), NOW))


@pytest.fixture
def listed() -> Listed:
    return Listed()


ALICE = Entry(which=Lookup(Sought.SUBJECT, ("idp", "alice")), issued_before=NOW + 1, until=NOW + 90_000)
READER = {"roles": ["Reader"]}


def test_a_revoked_token_is_denied_however_it_is_asked_about_and_allowed_once_lifted(listed: Listed) -> None:
    authorizer = listed.world.authorizer
    question = listed.world.question(claims=READER)
    other = listed.world.question(claims=READER | {"sub": "bob"})

    def asked() -> list[Decision]:
        listing = finished(authorizer.models(question))
        batch = [each for each in finished(authorizer.authorize_many([question, other])) if isinstance(each, Decision)]
        one, explained = (
            finished(authorizer.authorize(question)),
            finished(authorizer.authorize(question, explain=True)),
        )
        return [one, explained, batch[0], *([listing.denial] if listing.denial is not None else [])]

    before = asked()
    listed.change(ALICE)
    revoked = asked()
    others = finished(authorizer.authorize_many([question, other]))[1]
    listed.change(ALICE, lifted=True)
    after = asked()

    assert [each.verdict.effect for each in before] == [Effect.ALLOW] * 3
    assert [each.verdict.reason for each in revoked] == [Reason.TOKEN_REVOKED] * 4
    assert isinstance(others, Decision)
    assert others.verdict.effect is Effect.ALLOW
    assert [each.verdict.effect for each in after] == [Effect.ALLOW] * 3


def test_an_answer_at_hand_is_not_given_to_a_revoked_token(listed: Listed) -> None:
    authorizer, question = listed.world.authorizer, listed.world.question(claims=READER)
    finished(authorizer.authorize(question))
    encoded = encoding(question)
    assert authorizer.at_hand(encoded, lambda: question) is not None

    listed.change(ALICE)

    assert authorizer.at_hand(encoded, lambda: question) is None


def test_a_list_that_is_not_known_is_a_fault_and_no_answer(listed: Listed) -> None:
    authorizer, question = listed.world.authorizer, listed.world.question(claims=READER)
    finished(authorizer.authorize(question))
    listed.current = False

    assert authorizer.at_hand(encoding(question), lambda: question) is None
    with pytest.raises(RevocationsUnavailable):
        finished(authorizer.authorize(question))
    assert isinstance(finished(authorizer.authorize_many([question]))[0], RevocationsUnavailable)


def test_an_explanation_names_the_check_that_refused(listed: Listed) -> None:
    listed.change(ALICE)

    decision = finished(listed.world.authorizer.authorize(listed.world.question(claims=READER), explain=True))

    explanation = decision.verdict.explanation
    assert explanation is not None
    assert [each.check for each in explanation.checks if each.reason is Reason.TOKEN_REVOKED] == ["revocation"]


def test_a_revoked_token_depends_on_itself(listed: Listed) -> None:
    listed.change(ALICE)

    decision = finished(listed.world.authorizer.authorize(listed.world.question(claims=READER, model=None, route=CHAT)))

    assert DependencyKind.TOKEN in {each.kind for each in decision.verdict.depends_on}


async def verified(token: str, policy: Policy, kind: str = "P-256", key: bytes | None = KEY) -> VerifiedToken:
    keys = StaticKeys.of(idp=[key_pair(kind)])
    return await Verifier(policy, keys, lambda: NOW, store_key=key).verify(token, patience=0)


async def test_another_valid_signature_does_not_bring_a_revoked_token_back() -> None:
    pair = key_pair("P-256")
    token = pair.token()
    head, _, signature = token.rpartition(".")
    raw = keyring.decode(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    mirrored = f"{head}.{keyring.encode(raw[:32] + (ORDER - s).to_bytes(32, 'big'))}"
    copy = RevokedTokens(lambda: NOW, lambda: True)
    first = await verified(token, keyring.policy())
    which = Lookup(Sought.TOKEN, (first.token_id,))
    copy.load(Snapshot({which: Entry(which=which, until=NOW + 1)}, 1))

    second = await verified(mirrored, keyring.policy())

    assert mirrored != token
    assert r
    assert PolicyRevocations(copy, keyring.policy()).revoked(second)


async def test_under_a_stores_key_an_id_outlives_changes_of_the_issuer_and_is_another_stores_no_more() -> None:
    token = key_pair("P-256").token()
    policy = keyring.policy()
    changed = replace(policy, issuers=tuple(replace(each, digest="another") for each in policy.issuers), digest="other")

    before, after = await verified(token, policy), await verified(token, changed)
    elsewhere = await verified(token, policy, key=b"o" * 32)
    storeless = [(await verified(token, each, key=None)).token_id for each in (policy, changed)]

    assert before.token_id == after.token_id
    assert len({before.token_id, elsewhere.token_id, *storeless}) == 4
