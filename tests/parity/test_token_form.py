"""The second opinion about tokens and keys has the same limits as the first, and none of its code."""

from __future__ import annotations

import ast
from pathlib import Path

from usherd.authenticate import claims, compact, key_rules, strict_json
from usherd.parity import token_form
from usherd.policy import Policy


def test_the_limits_are_those_of_the_checks() -> None:
    fields = Policy.__dataclass_fields__

    assert fields["token_max_size"].default == token_form.MAX_TOKEN
    assert claims.MAX_IDENTIFIER == token_form.MAX_IDENTIFIER
    assert claims.LATEST_DATE == token_form.LATEST_DATE
    assert strict_json.MAX_DEPTH == token_form.MAX_DEPTH
    assert strict_json.MAX_INTEGER_DIGITS == token_form.MAX_DIGITS
    assert compact.MAX_LIST_LENGTH == token_form.MAX_LENGTH
    assert compact.MAX_CLAIMS == token_form.MAX_CLAIMS
    assert key_rules._MIN_RSA_BITS == token_form.MIN_BITS
    assert key_rules._MIN_EXPONENT == token_form.MIN_EXPONENT


def test_the_words_are_those_of_the_checks() -> None:
    assert compact._NEVER_DONE == token_form._NEVER_DONE
    assert key_rules._PRIVATE_MEMBERS == token_form._PRIVATE


def test_the_opinion_is_its_own() -> None:
    tree = ast.parse(Path(token_form.__file__).read_text("utf-8"))

    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported
    assert not any(name.startswith("usherd.authenticate") for name in imported)
