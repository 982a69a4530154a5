"""`usherd dev` shows usherd at work, and leaves nothing behind."""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from commands import PATIENCE, environment, server, usherd
from usher_client import Client
from usherd.cli.dev_demo import SCENES
from usherd.cli.dev_issuer import Signer, published
from usherd.cli.dev_people import DIRECTORY_TEXT, KEPT, PEOPLE, config_text, token_of
from usherd.cli.dev_state import StateUnusable, remembered, running, state_folder
from usherd.reasons import Reason


def test_the_demonstration_gets_the_answers_that_it_must() -> None:
    done = usherd("dev", "demo", "--no-stay")

    assert done.returncode == 0, done.stderr
    assert f"All {len(SCENES)} answers were as they must be." in done.stdout
    assert {scene.reason.name for scene in SCENES} - set(done.stdout.split()) == set()


def test_the_demonstration_shows_allowances_denials_and_everybody() -> None:
    asked = {scene.who for scene in SCENES}

    assert asked == {*PEOPLE, ""}
    assert {scene.reason for scene in SCENES} >= {Reason.ALLOWED, Reason.PUBLIC_ROUTE, Reason.NOT_ENTITLED}


def test_an_issuer_writes_its_configuration_where_it_is_told_to_and_over_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = tmp_path / "new"
    env = environment({"XDG_RUNTIME_DIR": str(tmp_path)})
    command = [sys.executable, "-m", "usherd", "dev", "--port", "0", "--into", str(folder)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as issuer:
        assert issuer.stdout is not None
        lines = [issuer.stdout.readline(), issuer.stdout.readline()]
        checked = usherd("config", "check", folder / "usherd.yaml")
        issuer.terminate()
        issuer.wait(PATIENCE)
    before = (folder / "usherd.yaml").read_text()
    again = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)

    assert lines[0].endswith(f"usherd.yaml and directory.yaml are written in {folder}.\n")
    assert f"usherd serve --config {folder / 'usherd.yaml'}" in lines[1]
    assert checked.returncode == 0
    assert (again.returncode, (folder / "usherd.yaml").read_text()) == (2, before)
    assert KEPT in before
    assert again.stderr == f"usherd: {folder / 'usherd.yaml'}: is there already; expected a folder without\n"


def test_what_an_issuer_writes_is_a_directory_in_which_a_team_can_be_blocked(tmp_path: Path) -> None:
    with published(0) as signer:
        (tmp_path / "usherd.yaml").write_text(config_text(signer.issuer, address="127.0.0.1:0", directory=KEPT))
        (tmp_path / "directory.yaml").write_text(DIRECTORY_TEXT)
        with server(tmp_path / "usherd.yaml") as (_, address), Client(address) as client:
            token = token_of(PEOPLE["alice"], signer)
            before = client.authorize(token, "/v1/chat/completions", "gpt-4o", deadline=PATIENCE)
            done = usherd("directory", "block", "team", "research", "--server", address)
            after = client.authorize(token, "/v1/chat/completions", "gpt-4o", deadline=PATIENCE)

    assert done.returncode == 0, done.stderr
    assert (before.reason, after.reason) == ("ALLOWED", "TEAM_BLOCKED")


def test_an_issuer_runs_until_it_is_told_to_end_and_its_tokens_are_asked_for_by_name(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "usherd", "dev", "--port", "0"],
        env=environment(env),
        stdout=subprocess.PIPE,
        text=True,
    ) as issuer:
        assert issuer.stdout is not None
        while "tokens:" not in (line := issuer.stdout.readline()):
            assert line
        (state,) = (tmp_path / "usherd-dev").iterdir()
        mode = stat.S_IMODE(state.stat().st_mode)
        tokens = json.loads(usherd("dev", "token", "alice", "ada", "--json", env=env).stdout)
        nobody = usherd("dev", "token", "nobody", env=env)
        issuer.terminate()
        code = issuer.wait(PATIENCE)
    after = usherd("dev", "token", "alice", env=env)

    assert (mode, code) == (0o600, 0)
    assert tokens.keys() == {"alice", "ada"}
    assert nobody.returncode == 2
    assert not state.exists()
    assert after.returncode == 2
    assert "no issuer runs" in after.stderr


def test_a_key_is_never_left_where_others_can_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "usherd-dev").mkdir(mode=0o755)
    (tmp_path / "usherd-dev").chmod(0o755)

    with pytest.raises(StateUnusable, match="nobody else can read"):
        state_folder()


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "mine").mkdir(mode=0o700)
    os.symlink(tmp_path / "mine", tmp_path / "usherd-dev")

    with pytest.raises(StateUnusable):
        state_folder()


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Issuers leave their keys in a folder of the test's own; the variable that says so to commands."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


def test_a_remembered_signer_is_the_same_signer(at_home: dict[str, str]) -> None:
    signer = Signer.new("http://127.0.0.1:1")

    with remembered(signer):
        again = running()
    gone = running()

    assert {issuer: each.public_jwk() for issuer, each in again.items()} == {signer.issuer: signer.public_jwk()}
    assert gone == {}


def test_issuers_that_run_beside_each_other_are_told_apart(at_home: dict[str, str]) -> None:
    one, other = (Signer.new(f"http://127.0.0.1:{port}") for port in (1, 2))

    with remembered(one):
        with remembered(other):
            unnamed = usherd("dev", "token", "alice", env=at_home)
            named = usherd("dev", "token", "alice", "--issuer", one.issuer, env=at_home)
            elsewhere = usherd("dev", "token", "alice", "--issuer", "http://127.0.0.1:3", env=at_home)
        # The end of one is not the end of the other.
        left = usherd("dev", "token", "alice", env=at_home)

    both = f"{one.issuer} or {other.issuer}"
    assert (unnamed.returncode, unnamed.stderr) == (2, f"usherd: several issuers run; expected --issuer {both}\n")
    assert (elsewhere.returncode, elsewhere.stdout) == (2, "")
    assert elsewhere.stderr == f"usherd: --issuer: http://127.0.0.1:3 does not run; expected {both}\n"
    assert (issuer_of(named.stdout), issuer_of(left.stdout)) == (one.issuer, one.issuer)


def issuer_of(token: str) -> str:
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["iss"])


def test_what_an_issuer_that_was_killed_has_left_is_no_issuer_and_goes_with_the_next(at_home: dict[str, str]) -> None:
    command = [sys.executable, "-m", "usherd", "dev", "--port", "0"]
    with subprocess.Popen(command, env=environment(at_home), stdout=subprocess.PIPE, text=True) as issuer:
        assert issuer.stdout is not None
        while "tokens:" not in (line := issuer.stdout.readline()):
            assert line
        alive = running()
        issuer.kill()
        issuer.wait(PATIENCE)
    after, left = running(), list(state_folder().iterdir())
    with remembered(Signer.new("http://127.0.0.1:1")) as file:
        kept = list(state_folder().iterdir())

    assert (len(alive), after, len(left)) == (1, {}, 1)
    assert kept == [file]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"key": "none", "issuer": "a"}', '{"key": 1}'])
def test_a_key_that_cannot_be_read_is_told_with_its_mend(at_home: dict[str, str], text: str) -> None:
    with remembered(Signer.new("http://127.0.0.1:1")) as file:
        file.write_text(text)
        done = usherd("dev", "token", "alice", env=at_home)

    assert done.returncode == 2
    assert done.stderr == f"usherd: {file}: cannot be read; start `usherd dev` again\n"


def test_a_folder_that_cannot_be_written_is_told(at_home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**named: object) -> tuple[int, str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "mkstemp", full)

    with pytest.raises(StateUnusable, match="No space left"), remembered(Signer.new("http://127.0.0.1:1")):
        pass


def test_a_port_that_is_taken_is_told_with_its_mend() -> None:
    with published() as signer:
        done = usherd("dev", "--port", signer.issuer.rpartition(":")[2])

    assert done.returncode == 2
    assert "Address already in use; expected a free port (--port, 0 for any)" in done.stderr
    assert "Traceback" not in done.stderr
