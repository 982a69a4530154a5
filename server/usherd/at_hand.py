"""The short way of a question through the house: what was answered before is answered again, without waiting."""

from __future__ import annotations

from collections.abc import Callable

from usherd.decisions import Decisions
from usherd.domain import Decision, Question
from usherd.errors import Fault, Refusal
from usherd.holders import Holders
from usherd.known_answers import KnownAnswer, KnownAnswers
from usherd.ports import Directory
from usherd.verdicts import Verdicts


class AtHand:
    """Verdicts that were made for the same holder, the same question, and facts that are still the same.

    Token, key, revocation and dates are asked anew, as ever. It makes no refusal and no fault: it has nothing to say
    then, and the long way finds it again and says it right.
    """

    def __init__(
        self, directory: Directory, holders: Holders, verdicts: Verdicts, decisions: Decisions, *, remember: int
    ) -> None:
        self._directory = directory
        self._holders = holders
        self._verdicts = verdicts
        self._decisions = decisions
        self._known = KnownAnswers(remember)

    def answer(self, encoded: bytes, read: Callable[[], Question]) -> Decision | None:
        """The answer, if all of it is at hand. `encoded` says the whole question; `read`, which is called unless those
        bytes are known already, makes it of them, and may raise what it likes."""
        try:
            facts = self._directory.at_hand()
            if facts is None:
                return None
            key = self._known.key(encoded)
            known = self._known.get(key, facts)
            # A token that was verified anew since then, by another key, means another holder.
            if known is not None and self._holders.at_hand(known.token_digest) is known.holder:
                return self._decisions.of(known.standing.verdict, known.holder, facts)
            question = read()
            digest = self._holders.digest(question.token)
            holder = self._holders.at_hand(digest)
            standing = None if holder is None else self._verdicts.known(holder, question, facts)
            if holder is None or standing is None:
                return None
            self._known.put(key, KnownAnswer(digest, holder, standing), facts)
            return self._decisions.of(standing.verdict, holder, facts)
        except (Refusal, Fault):
            return None
