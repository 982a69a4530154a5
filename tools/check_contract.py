"""Checks the contract: its form, its promises against the baseline, and that the stubs are its stubs.

With --peers it checks the stubs of Go and TypeScript, which need their toolchains, and nothing else.
"""

from __future__ import annotations

import filecmp
import sys
import tempfile
from pathlib import Path

from generate import PEER_STUBS, PYTHON_STUBS, ROOT, peer_stubs, python_stubs, run, venv_with

BUF = Path(sys.executable).parent / "buf"
BASELINE = "proto/baseline.binpb"

# The lower bounds of clients/python/pyproject.toml (test_floor.py holds the two together).
FLOOR = ("grpcio==1.78.0", "protobuf==6.31.1")


def differences(committed: Path, generated: Path) -> list[str]:
    """Files below the two folders that are not the same, or in one of them only."""
    names = {
        each.relative_to(folder)
        for folder in (committed, generated)
        for each in folder.rglob("*")
        if each.is_file() and each.suffix != ".pyc"
    }
    return sorted(
        str(committed.relative_to(ROOT) / name)
        for name in names
        if not (committed / name).is_file()
        or not (generated / name).is_file()
        or not filecmp.cmp(committed / name, generated / name, shallow=False)
    )


def check_form() -> None:
    """Lint, format, and nothing taken back that the baseline promised."""
    run([BUF, "lint"])
    run([BUF, "format", "--diff", "--exit-code"])
    run([BUF, "breaking", "--against", BASELINE])


def check_stubs(*, peers: bool) -> None:
    """The committed stubs are those that the pinned generators write."""
    with tempfile.TemporaryDirectory() as folder:
        if peers:
            peer_stubs(Path(folder))
        else:
            python_stubs(Path(folder))
        stubs = PEER_STUBS if peers else (PYTHON_STUBS,)
        stale = [name for each in stubs for name in differences(ROOT / each, Path(folder) / each)]
    if stale:
        raise SystemExit("not what proto/ says (run make generate ARGS=--peers):\n" + "\n".join(stale))


def check_runtimes() -> None:
    """The built client makes a call on its floor, and on the newest runtime, which is the one that runs this."""
    floor = venv_with(".venv-floor", *FLOOR)
    client = ROOT / "clients" / "python"
    run(
        [
            floor,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--quiet",
            "--no-deps",
            "--force-reinstall",
            client,
        ]
    )
    call = ROOT / "tools" / "client_call.py"
    run([floor, "-W", "error", call, *FLOOR], Path(tempfile.gettempdir()))
    run([sys.executable, "-W", "error", call])


def main() -> int:
    """Runs the checks; the first that fails ends the program with what it said."""
    peers = "--peers" in sys.argv[1:]
    if not peers:
        check_form()
        check_runtimes()
    check_stubs(peers=peers)
    print("contract:", "stubs of the peers" if peers else "form, baseline, stubs, floor", "ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
