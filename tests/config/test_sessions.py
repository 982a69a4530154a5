"""What the configuration says of sessions of usherd's own, and what it must not."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from config_files import ISSUER, problems, settings
from usherd.config.shown import as_yaml, shown
from usherd.policy import OwnSessionRules

KEY = base64.b64encode(b"k" * 32).decode()
URL_SAFE = base64.urlsafe_b64encode(b"\xfb\xff" * 16).decode()
ENVIRONMENT = {"KEY": KEY, "OTHER": URL_SAFE, "SHORT": base64.b64encode(b"k" * 31).decode(), "RAW": "k" * 32}
KEPT = 'directory: {url: "sqlite:///usher.db"}\n'


def test_sessions_have_defaults_and_bounds(tmp_path: Path) -> None:
    found = settings(tmp_path, f"{ISSUER}{KEPT}sessions: {{key_encryption: env:KEY}}", environment=ENVIRONMENT)
    assert found.sessions is not None
    assert found.sessions.key_encryption == (b"k" * 32,)
    assert (found.sessions.lifetime, found.sessions.rotate_every, found.sessions.http) == (86400, 30 * 86400, None)
    own = found.policy.own_sessions
    assert own == OwnSessionRules(digest=own.digest if own else "")
    assert {"/key/info", "/organization/list", "/organization/info", "/user/info"} <= set(found.policy.session_routes)
    assert "/team/new" not in found.policy.session_routes
    assert "/team/new" in found.policy.session_admin_routes


def test_without_them_there_are_none_and_nothing_is_opened(tmp_path: Path) -> None:
    found = settings(tmp_path, ISSUER)
    assert (found.sessions, found.policy.own_sessions, found.policy.session_routes) == (None, None, ())


def test_several_secrets_are_taken_in_their_order_in_either_alphabet(tmp_path: Path) -> None:
    text = f"{ISSUER}{KEPT}sessions: {{key_encryption: [env:OTHER, env:KEY]}}"
    found = settings(tmp_path, text, environment=ENVIRONMENT)
    assert found.sessions is not None
    assert found.sessions.key_encryption == (b"\xfb\xff" * 16, b"k" * 32)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    found = settings(tmp_path, f"{ISSUER}{KEPT}sessions: {{key_encryption: env:KEY}}", environment=ENVIRONMENT)
    assert "kkkk" not in as_yaml(shown(found)) + repr(found)
    assert KEY not in as_yaml(shown(found)) + repr(found)


@pytest.mark.parametrize(
    ("sessions", "said"),
    [
        ("{}", "sessions.key_encryption: is missing"),
        (f"{{key_encryption: {KEY}}}", "sessions.key_encryption[0]: is no reference to a secret; expected env:NAME or"),
        (
            "{key_encryption: []}",
            "sessions.key_encryption: is empty; expected env:NAME or file:path, or a list of them",
        ),
        ("{key_encryption: env:NOT_SET}", "sessions.key_encryption[0]: the environment variable NOT_SET is not set"),
        ("{key_encryption: env:SHORT}", "sessions.key_encryption[0]: is no key; expected 32 bytes in base64"),
        ("{key_encryption: [env:KEY, env:RAW]}", "sessions.key_encryption[1]: is no key; expected 32 bytes in base64"),
        ("{key_encryption: env:KEY, lifetime: 8d}", "sessions.lifetime: is out of bounds; expected 1m to 7d"),
        ("{key_encryption: env:KEY, lifetime: 59s}", "sessions.lifetime: is out of bounds; expected 1m to 7d"),
        ("{key_encryption: env:KEY, rotate_every: 59m}", "sessions.rotate_every: is out of bounds"),
        ("{key_encryption: env:KEY, issuer: litellm-proxy}", "sessions.issuer: is that of LiteLLM's sessions"),
        ("{key_encryption: env:KEY, issuer: 'https://idp.example'}", "sessions.issuer: is that of issuer idp, too"),
        ("{key_encryption: env:KEY, http: 'unix:/a'}", "sessions.http: is a socket's path; expected host:port"),
        ("{key_encryption: env:KEY, http: '8088'}", "sessions.http: '8088' is no address"),
        ("{key_encryption: env:KEY, routes: [ui_route]}", "did you mean ui_routes?"),
        ("{key_encryption: env:KEY, secret: x}", "sessions.secret: unknown key"),
    ],
)
def test_a_mistake_is_named_with_its_mend_and_without_the_secret(tmp_path: Path, sessions: str, said: str) -> None:
    found = problems(tmp_path, f"{ISSUER}{KEPT}sessions: {sessions}", environment=ENVIRONMENT)
    assert any(said in each for each in found), found
    assert not any(secret in each for secret in ENVIRONMENT.values() for each in found)


def test_sessions_need_a_directory_that_is_kept(tmp_path: Path) -> None:
    found = problems(tmp_path, f"{ISSUER}sessions: {{key_encryption: env:KEY}}", environment=ENVIRONMENT)
    assert [each.partition(": ")[2] for each in found] == [
        "sessions: need a directory that is kept; expected directory.url, too, or no sessions"
    ]


@pytest.mark.parametrize("version", ["latest", "reference"])
def test_whoever_may_see_spend_may_see_it_in_the_user_interface(tmp_path: Path, version: str) -> None:
    found = settings(tmp_path, f"{ISSUER}routes: {{version: {version}}}")
    routes = found.policy.users.role_routes
    assert {role for role in routes if "/spend/logs/ui" in routes[role]} == {
        "proxy_admin_viewer",
        "internal_user",
        "internal_user_viewer",
    }
