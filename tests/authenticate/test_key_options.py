"""What each option of keys changes in the reading of a document, and that no option makes a bad key usable."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import keyring
from usherd.authenticate.key_ring import KeyRing, RingRules
from usherd.authenticate.key_rules import Dropped
from usherd.authenticate.keys import KeySet, KeySetError, load_key_set, load_pem
from usherd.options import LITELLM, STRICT, with_values

RSA, OTHER = keyring.key_pair("RSA", "a"), keyring.key_pair("RSA", "b")
CURVE = keyring.key_pair("P-256", "curve")
RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})


def load(document: object, *, algorithms: frozenset[str] = keyring.ALGORITHMS, **values: str) -> KeySet:
    """The keys of the document under these values of `keys.*`; without any, under the reference's."""
    names = {"metadata": "keys.metadata", "doubled": "keys.duplicate_kid", "documents": "keys.documents"}
    options = with_values(STRICT, {names[name]: value for name, value in values.items()}) if values else LITELLM
    return load_key_set(document, issuer="idp", algorithms=algorithms, options=options)


def ids(key_set: KeySet) -> list[str | None]:
    return [key.kid for key in key_set.keys]


class TestMetadata:
    @pytest.mark.parametrize(
        "changes",
        [
            {"alg": "RS512"},
            {"alg": "RSA-OAEP"},
            {"alg": "none"},
            {"alg": None},
            {"alg": ...},
            {"use": "enc"},
            {"use": None},
            {"key_ops": ["encrypt"]},
            {"key_ops": []},
            {"key_ops": "verify"},
        ],
        ids=repr,
    )
    def test_ignored_it_binds_nothing(self, changes: dict[str, Any]) -> None:
        (key,) = load([RSA.jwk(**changes)], metadata="ignored").keys

        assert key.algorithms == RSA_ALGORITHMS
        assert set(key.signature_size.values()) == {256}

    def test_ignored_the_issuers_algorithms_still_bind(self) -> None:
        (key,) = load([RSA.jwk(alg="RS512")], metadata="ignored", algorithms=frozenset({"PS256", "ES256"})).keys

        assert key.algorithms == {"PS256"}

    def test_ignored_a_curve_still_has_its_one_algorithm(self) -> None:
        (key,) = load([CURVE.jwk(alg="RS256", use="enc")], metadata="ignored").keys

        assert key.algorithms == {"ES256"}

    @pytest.mark.parametrize("kid", [None, 7, True, ["a"], {}])
    def test_ignored_an_id_that_is_no_text_is_none(self, kid: object) -> None:
        assert ids(load([RSA.jwk(kid=kid)], metadata="ignored")) == [None]

    def test_ignored_an_empty_id_is_one(self) -> None:
        loaded = load([RSA.jwk(kid="")], metadata="ignored")
        ring = KeyRing(rules=RingRules(stale_after=9.0)).loaded(loaded.keys, 0)

        assert ring.find("", 1) is loaded.keys[0]
        assert ring.find("a", 1) is None

    def test_ignored_an_id_has_a_sane_length(self) -> None:
        assert load([RSA.jwk(kid="k" * 257)], metadata="ignored").dropped == {Dropped.MALFORMED: 1}

    @pytest.mark.parametrize(
        ("jwk", "cause"),
        [
            (RSA.jwk(d="AQ"), Dropped.PRIVATE),
            (RSA.jwk(k="AQ"), Dropped.PRIVATE),
            (RSA.jwk(e="Aw"), Dropped.WEAK),
            (keyring.key_pair("RSA-1024").jwk(), Dropped.WEAK),
            (RSA.jwk(n="AQ AB"), Dropped.MALFORMED),
            (RSA.jwk(kty=...), Dropped.KEY_TYPE),
            ({"kty": "oct", "k": "AAAA", "kid": "a"}, Dropped.SYMMETRIC),
            ("-----BEGIN PUBLIC KEY-----", Dropped.MALFORMED),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_under_no_preset_is_a_bad_key_used(self, jwk: object, cause: Dropped) -> None:
        assert load([jwk]).dropped == {cause: 1}


class TestDuplicates:
    def test_the_last_of_an_id_wins(self) -> None:
        other = OTHER.jwk(kid="a")
        expected = load([other]).keys[0].thumbprint

        loaded = load([RSA.jwk(), CURVE.jwk(), other], doubled="last")

        assert [(key.kid, key.thumbprint) for key in loaded.keys if key.kid == "a"] == [("a", expected)]
        assert (loaded.withdrawn, loaded.dropped) == (frozenset(), {})

    @pytest.mark.parametrize("unusable", [RSA.jwk(d="AQ"), CURVE.jwk(kid="a"), {"kid": "a"}], ids=["private", "EC", ""])
    def test_an_unusable_last_one_leaves_none(self, unusable: dict[str, Any]) -> None:
        loaded = load([RSA.jwk(), OTHER.jwk(), unusable])

        assert ids(loaded) == ["b"]
        assert loaded.withdrawn == {"a"}

    def test_an_unusable_first_one_does_no_harm(self) -> None:
        loaded = load([CURVE.jwk(kid="a"), RSA.jwk()])

        assert ids(loaded) == ["a"]
        assert loaded.withdrawn == frozenset()

    def test_keys_without_an_id_are_no_duplicates(self) -> None:
        assert ids(load([RSA.jwk(kid=...), OTHER.jwk(kid=...)], doubled="last")) == [None, None]


class TestDocuments:
    @pytest.mark.parametrize(
        "document",
        [
            RSA.jwk(),
            {"a": RSA.jwk()},
            {"keys": RSA.jwk()},
            {"keys": {"a": RSA.jwk()}},
            {"keys": None},
            {"keys": "abc"},
            {"error": "x"},
            {},
            "keys",
            {"a": keyring.key_pair("RSA").private.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()},
        ],
        ids=lambda document: str(document)[:30],
    )
    def test_the_reference_reads_no_other_than_lists(self, document: object) -> None:
        with pytest.raises(KeySetError):
            load(document, documents="reference")

    @pytest.mark.parametrize("document", [[RSA.jwk()], {"keys": [RSA.jwk()]}, {"keys": [RSA.jwk()], "issuer": "x"}])
    def test_the_reference_reads_key_sets_and_bare_lists(self, document: object) -> None:
        assert ids(load(document, documents="reference")) == ["a"]

    @pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "Ed25519", "Ed448"])
    def test_the_reference_reads_rsa_keys_alone(self, kind: str) -> None:
        loaded = load([keyring.key_pair(kind).jwk(), RSA.jwk()], documents="reference")

        assert ids(loaded) == ["a"]
        assert loaded.dropped == {Dropped.KEY_TYPE: 1}

    def test_the_reference_reads_no_pem(self) -> None:
        text = RSA.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

        with pytest.raises(KeySetError):
            load_pem(text, issuer="idp", algorithms=keyring.ALGORITHMS, options=LITELLM)
        assert len(load_pem(text, issuer="idp", algorithms=keyring.ALGORITHMS).keys) == 1

    def test_every_entry_counts_as_published(self) -> None:
        assert load([RSA.jwk(), RSA.jwk(), CURVE.jwk(), None, {"kty": "oct"}], documents="every").published == 5


class TestKidless:
    RULES = RingRules(stale_after=100.0, only_published=True)

    @pytest.mark.parametrize("kid", ["a", "", None, 7, ...])
    def test_the_one_that_is_published_is_found_whatever_its_id(self, kid: object) -> None:
        loaded = load([RSA.jwk(kid=kid)])

        assert KeyRing(rules=self.RULES).loaded(loaded.keys, 0, published=1).find(None, 1) is loaded.keys[0]

    @pytest.mark.parametrize(
        "beside",
        [CURVE.jwk(), RSA.jwk(), OTHER.jwk(), {"kty": "oct"}, None, "x"],
        ids=["curve", "same", "other", "secret", "null", "text"],
    )
    def test_whatever_else_is_published_makes_it_one_of_many(self, beside: object) -> None:
        loaded = load([beside, RSA.jwk()])
        ring = KeyRing(rules=self.RULES).loaded(loaded.keys, 0, loaded.withdrawn, loaded.published)

        assert ring.find(None, 1) is None
        assert ring.find("a", 1) is not None

    def test_a_token_that_names_a_key_never_finds_a_nameless_one(self) -> None:
        loaded = load([RSA.jwk(kid=...)])
        ring = KeyRing(rules=self.RULES).loaded(loaded.keys, 0, loaded.withdrawn, loaded.published)

        assert (ring.find("a", 1), ring.find("", 1)) == (None, None)

    def test_it_is_no_longer_alone_when_a_newer_set_has_more(self) -> None:
        loaded = load([RSA.jwk()])
        ring = KeyRing(rules=self.RULES).loaded(loaded.keys, 0, published=1).loaded(loaded.keys, 1, published=2)

        assert ring.find(None, 2) is None
        assert ring.loaded(loaded.keys, 3, published=1).find(None, 4) is loaded.keys[0]

    def test_where_usable_ones_are_counted_the_rest_does_no_harm(self) -> None:
        loaded = load([CURVE.jwk(), RSA.jwk()])
        ring = KeyRing(rules=RingRules(stale_after=100.0)).loaded(loaded.keys, 0, published=loaded.published)

        assert ring.find(None, 1) is loaded.keys[0]
