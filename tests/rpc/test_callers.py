"""Callers are told apart by what they show: certificates that are real, and credentials as they are sent."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from cryptography import x509

from tools.caller_world import ASK, CREDENTIAL, OTHER, names, rule, secure, server_files
from tools.certificates import Authority
from tools.directory_world import METHODS as DIRECTORY_METHODS
from tools.envoy_requests import CHECK as ENVOY_CHECK
from tools.rpc_world import SERVICE, Outcome, call, calling, check_bytes, ended, running
from usherd.calls import Call, Ending, Listener
from usherd.errors import CallerNotAllowed, CallerUnknown
from usherd.inbound.handed_on import GatewayRules
from usherd.rpc.admission import Admission, Terms
from usherd.rpc.envoy.service import EnvoyTerms
from usherd.rpc.server import Listen

STORIES = yaml.safe_load((Path(__file__).parent / "callers.yaml").read_text("utf-8"))
OK = grpc.StatusCode.OK
UNKNOWN = (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN", CallerUnknown.message)
NOT_ALLOWED = (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED", CallerNotAllowed.message)
SPIFFE = {"uri": ["spiffe://mesh/ns/edge"]}
OURS = Authority("ours")


def _stories(section: str) -> pytest.MarkDecorator:
    found = STORIES[section]
    return pytest.mark.parametrize("story", found.values(), ids=found.keys())


def _said(outcome: Outcome) -> tuple[grpc.StatusCode, str, str]:
    return outcome.code, outcome.reason, outcome.details


class Heard(Listener):
    """Who called, as listeners hear it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Ending]] = []

    def ended(self, call: Call, ending: Ending, seconds: float) -> None:
        self.calls.append((call.caller, ending))


async def _ask(channel: grpc.aio.Channel, credential: str | None = None, **more: Any) -> Outcome:
    metadata = () if credential is None else (("authorization", f"Bearer {credential}"),)
    return await call(channel, "Check", check_bytes(), metadata=metadata, **more)


@_stories("certificates")
async def test_a_certificate_is_its_callers_or_nobodys(tmp_path: Path, story: dict[str, Any]) -> None:
    admission = Admission(Terms([rule(**{kind: tuple(values) for kind, values in story["caller"].items()})]))
    identity = OURS.issue_for(story.get("common", "any"), names(story["names"]))
    listen = Listen(address="127.0.0.1:0", tls=server_files(OURS, tmp_path), grace=0)
    async with (
        running(listen=listen, begins=admission.begins) as server,
        secure(server.address, OURS.certificate, identity) as channel,
    ):
        outcomes = [await _ask(channel) for _ in range(2)]

    # The second is judged by what is remembered of the certificate.
    assert list(map(_said, outcomes)) == [(OK, "", "") if story["known"] else UNKNOWN] * 2


@_stories("credentials")
async def test_a_credential_is_known_as_it_is_sent(story: dict[str, Any]) -> None:
    rules = [rule(credential=CREDENTIAL), rule("other", credential=OTHER)]
    metadata = tuple(
        (key, filled.encode() if key.endswith("-bin") else filled)
        for key, value in story["metadata"]
        for filled in [value.replace("$", CREDENTIAL).replace("%", OTHER)]
    )
    async with running(begins=Admission(Terms(rules)).begins) as server, calling(server) as channel:
        outcome = await call(channel, "Check", check_bytes(), metadata=metadata)

    assert _said(outcome) == ((OK, "", "") if story["known"] else UNKNOWN)


@pytest.mark.parametrize("text", ["x" * 4097, "x" * 6000], ids=len)
async def test_a_very_long_credential_is_nobodys(text: str) -> None:
    async with (
        running(begins=Admission(Terms([rule(credential=CREDENTIAL)])).begins) as server,
        calling(server, ("grpc.max_metadata_size", 16000)) as channel,
    ):
        assert _said(await _ask(channel, text)) == UNKNOWN


async def test_several_credentials_of_a_caller_are_good_at_the_same_time() -> None:
    heard = Heard()
    rules = [rule("edge", credential=[CREDENTIAL, OTHER])]
    async with (
        running(begins=Admission(Terms(rules)).begins, listener=heard) as server,
        calling(server) as channel,
    ):
        codes = [(await _ask(channel, each)).code for each in (CREDENTIAL, OTHER)]

    assert codes == [OK, OK]
    assert [name for name, _ in heard.calls] == ["edge", "edge"]


async def test_who_shows_a_credential_is_judged_by_it_and_by_the_certificate_that_goes_with_it(tmp_path: Path) -> None:
    rules = [
        rule("mesh", spiffe=("spiffe://mesh/ns/edge",), rpcs=ASK),
        rule("both", spiffe=("spiffe://mesh/ns/edge",), credential=CREDENTIAL),
        rule("elsewhere", spiffe=("spiffe://mesh/ns/other",), credential=OTHER),
    ]
    heard = Heard()
    listen = Listen(address="127.0.0.1:0", tls=server_files(OURS, tmp_path), grace=0)
    identity = OURS.issue_for("any", names(SPIFFE))
    async with (
        running(listen=listen, begins=Admission(Terms(rules)).begins, listener=heard) as server,
        secure(server.address, OURS.certificate, identity) as channel,
    ):
        outcomes = [await _ask(channel, each) for each in (None, CREDENTIAL, OTHER, "e" * 32)]

    assert [each.code for each in outcomes[:2]] == [OK, OK]
    assert [_said(each) for each in outcomes[2:]] == [UNKNOWN, UNKNOWN]
    assert [name for name, _ in heard.calls] == ["mesh", "both", "", ""]


async def test_a_certificate_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    identity, twin = OURS.issue_for("edge", []), OURS.issue_for("edge", [])
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(identity[0].decode())).hexdigest()
    admission = Admission(Terms([rule(fingerprints=frozenset({fingerprint}))]))
    listen = Listen(address="127.0.0.1:0", tls=server_files(OURS, tmp_path), grace=0)
    codes = []
    async with running(listen=listen, begins=admission.begins) as server:
        for each in (identity, twin):
            async with secure(server.address, OURS.certificate, each) as channel:
                codes.append((await _ask(channel)).code)

    assert codes == [OK, grpc.StatusCode.UNAUTHENTICATED]
    assert fingerprint == x509.load_pem_x509_certificate(identity[0]).fingerprint(_sha256()).hex()


def _sha256() -> Any:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256()


async def test_only_certificates_of_the_authority_that_are_good_now_get_as_far_as_a_name(tmp_path: Path) -> None:
    others = Authority("others")
    admission = Admission(Terms([rule(spiffe=("spiffe://mesh/ns/edge",))]))
    listen = Listen(address="127.0.0.1:0", tls=server_files(OURS, tmp_path), grace=0)
    shown: dict[str, tuple[bytes, bytes] | None] = {
        "good": OURS.issue_for("edge", names(SPIFFE)),
        "of another authority": others.issue_for("edge", names(SPIFFE)),
        "expired": OURS.issue_for("edge", names(SPIFFE), lifetime=timedelta(seconds=-5)),
        "none": None,
        "of a server only": OURS.issue_for("edge", names(SPIFFE), for_servers_only=True),
    }
    codes = {}
    async with running(listen=listen, begins=admission.begins) as server:
        for name, identity in shown.items():
            async with secure(server.address, OURS.certificate, identity) as channel:
                codes[name] = (await _ask(channel, timeout=20)).code

    assert codes == dict.fromkeys(shown, grpc.StatusCode.UNAVAILABLE) | {"good": OK}


async def test_a_certificate_that_expires_on_a_living_connection_is_nobodys_from_then_on(tmp_path: Path) -> None:
    admission = Admission(Terms([rule(spiffe=("spiffe://mesh/ns/edge",))]))
    listen = Listen(address="127.0.0.1:0", tls=server_files(OURS, tmp_path), grace=0)
    async with running(listen=listen, begins=admission.begins) as server:
        identity = OURS.issue_for("edge", names(SPIFFE), lifetime=timedelta(seconds=4))
        async with secure(server.address, OURS.certificate, identity) as channel:
            first = await _ask(channel)
            await asyncio.sleep(4)
            later = await _ask(channel)

    assert first.code is OK
    assert _said(later) == UNKNOWN


async def test_an_authoritys_own_certificate_has_no_spiffe_id(tmp_path: Path) -> None:
    admission = Admission(Terms([rule(spiffe=("spiffe://mesh/ns/edge",))]))
    listen = Listen(address="127.0.0.1:0", tls=server_files(OURS, tmp_path), grace=0)
    identity = OURS.issue_for("edge", names(SPIFFE), is_authority=True)
    async with (
        running(listen=listen, begins=admission.begins) as server,
        secure(server.address, OURS.certificate, identity) as channel,
    ):
        assert _said(await _ask(channel)) == UNKNOWN


async def test_authorities_and_certificates_are_followed_as_their_files_change(tmp_path: Path) -> None:
    old, new = Authority("old"), Authority("new")
    admission = Admission(Terms([rule(spiffe=("spiffe://mesh/ns/edge",))]))
    tls = server_files(OURS, tmp_path, old.certificate)
    # The second of the old authority is its rotated one: another key and certificate, the same name.
    identities = [old.issue_for("edge", names(SPIFFE)) for _ in range(2)] + [new.issue_for("edge", names(SPIFFE))]

    async def codes(address: str) -> list[grpc.StatusCode]:
        found = []
        for identity in identities:
            async with secure(address, OURS.certificate, identity) as channel:
                found.append((await _ask(channel, timeout=20)).code)
        return found

    async with running(listen=Listen(address="127.0.0.1:0", tls=tls, grace=0), begins=admission.begins) as server:
        seen = [await codes(server.address)]
        for content in (old.certificate + new.certificate, new.certificate):
            (tmp_path / "ca.pem").write_bytes(content)
            seen.append(await codes(server.address))

    no = grpc.StatusCode.UNAVAILABLE
    assert seen == [[OK, OK, no], [OK, OK, OK], [no, no, OK]]


async def test_without_a_certificate_a_name_in_the_metadata_is_worth_nothing() -> None:
    admission = Admission(Terms([rule(spiffe=("spiffe://mesh/ns/edge",))]))
    metadata = (
        ("x-forwarded-client-cert", "URI=spiffe://mesh/ns/edge"),
        ("x-spiffe-id", "spiffe://mesh/ns/edge"),
        ("authorization", f"Bearer {CREDENTIAL}"),
    )
    async with running(begins=admission.begins) as server, calling(server) as channel:
        assert _said(await call(channel, "Check", check_bytes(), metadata=metadata)) == UNKNOWN


@pytest.mark.parametrize("explains", [True, False])
async def test_explanations_are_for_callers_that_may_see_them(explains: bool) -> None:
    rules = [rule(credential=CREDENTIAL, explain=explains)]
    # What holds for those who are not told apart counts for nothing.
    admission = Admission(Terms(rules, may_explain=not explains))
    async with running(begins=admission.begins) as server, calling(server) as channel:
        metadata = (("authorization", f"Bearer {CREDENTIAL}"),)
        outcome = await call(channel, "Check", check_bytes(explain=True), metadata=metadata)

    assert (outcome.code, outcome.reason) == (
        (OK, "") if explains else (grpc.StatusCode.PERMISSION_DENIED, "EXPLANATION_NOT_ALLOWED")
    )


METHODS = [
    "/usher.v1.AuthorizationService/Authorize",
    "/usher.v1.AuthorizationService/BatchCheck",
    "/usher.v1.AuthorizationService/Check",
    "/usher.v1.AuthorizationService/ListModels",
    "/usher.v1.AuthorizationService/Subscribe",
    *DIRECTORY_METHODS,
    ENVOY_CHECK,
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]
"""Written out, so that a method that comes is thought about here."""


async def _first(channel: grpc.aio.Channel, method: str, metadata: tuple[tuple[str, str], ...]) -> Outcome:
    """How the first message of any method ends, whatever its shape."""
    stream = channel.stream_stream(method)(metadata=metadata, timeout=10)
    try:
        # One that is refused may be over before it has been written to.
        with contextlib.suppress(asyncio.InvalidStateError):
            await stream.write(check_bytes() if method.startswith(SERVICE) else b"")
            await stream.done_writing()
        await stream.read()
        stream.cancel()
    except grpc.aio.AioRpcError as error:
        return ended(error)
    except Exception:
        return Outcome(grpc.StatusCode.UNKNOWN)
    return Outcome(OK)


@pytest.mark.parametrize("health_for_all", [True, False])
async def test_every_method_is_closed_to_strangers_and_to_callers_without_the_right(health_for_all: bool) -> None:
    rules = [rule("all", credential=CREDENTIAL), rule("none", credential=OTHER, rpcs=frozenset())]
    admission = Admission(Terms(rules, health_for_all=health_for_all))
    shown = {
        "stranger": (),
        "none": (("authorization", f"Bearer {OTHER}"),),
        "all": (("authorization", f"Bearer {CREDENTIAL}"),),
    }
    envoy = EnvoyTerms(GatewayRules(), lambda: "0" * 26)
    async with running(begins=admission.begins, envoy=envoy) as server, calling(server) as channel:
        said = {
            (who, method): _said(await _first(channel, method, metadata))
            for who, metadata in shown.items()
            for method in METHODS
        }

    for method in METHODS:
        opened = health_for_all and method == "/grpc.health.v1.Health/Check"
        assert said["stranger", method] == ((OK, "", "") if opened else UNKNOWN), method
        assert said["none", method] == ((OK, "", "") if opened else NOT_ALLOWED), method
        assert said["all", method][0] not in (UNKNOWN[0], NOT_ALLOWED[0]), method


@pytest.mark.parametrize(
    "path", ["usher.v1.AuthorizationService/Check", "//usher.v1.AuthorizationService/Check",
             "/usher.v1.AuthorizationService/Check/", "/usher.v1.AuthorizationService/%43heck",
             "/USHER.v1.AuthorizationService/Check", "/usher.v1.AuthorizationService/Check?x"],
)  # fmt: skip
async def test_a_method_by_another_name_is_no_way_around_its_right(path: str) -> None:
    rules = [rule("ask", credential=CREDENTIAL, rpcs=frozenset({"/usher.v1.AuthorizationService/ListModels"}))]
    async with running(begins=Admission(Terms(rules)).begins) as server, calling(server) as channel:
        outcome = await _first(channel, path, (("authorization", f"Bearer {CREDENTIAL}"),))

    assert outcome.code is not OK


async def test_refusals_are_told_in_the_log_once_a_minute_and_without_what_was_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = [rule("ask", credential=CREDENTIAL, rpcs=frozenset())]
    async with running(begins=Admission(Terms(rules)).begins) as server, calling(server) as channel:
        for credential in ("e" * 40, "f" * 40, CREDENTIAL, CREDENTIAL):
            await _ask(channel, credential)

    told = [(record.getMessage(), record.__dict__["method"], record.__dict__["caller"]) for record in caplog.records]
    check = f"{SERVICE}/Check"
    assert told == [("caller_unknown", check, ""), ("caller_not_allowed", check, "ask")]
    assert not any(secret in str(record.__dict__) for record in caplog.records for secret in ("eeee", CREDENTIAL))
