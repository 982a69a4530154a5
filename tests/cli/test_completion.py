"""Shells complete commands and options of `usherd`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import usherd


def test_bash_completes_with_what_it_was_given() -> None:
    script = """
        source <(usherd completion bash)
        complete -p usherd
        for words in "usherd conf" "usherd config sh" "usherd config diff --"; do
            COMP_WORDS=($words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _usherd_completion usherd
            echo ${COMPREPLY[@]}
        done
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "PATH": path}
    )

    assert done.stdout.splitlines() == [
        "complete -o default -F _usherd_completion usherd",
        "config",
        "show",
        "--json --help",
    ]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("shell", "asking", "offered"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "usherd config sh"}, "show"),
        ("fish", {"_TYPER_COMPLETE_ARGS": "usherd conf", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}, "config"),
    ],
)
def test_other_shells_ask_in_their_own_way(shell: str, asking: dict[str, str], offered: str) -> None:
    written = usherd("completion", shell)
    answer = usherd(env=asking | {"_USHERD_COMPLETE": f"complete_{shell}"})

    assert written.returncode == 0
    assert f"_USHERD_COMPLETE=complete_{shell}" in written.stdout
    assert offered in answer.stdout


def test_another_shell_is_wrong_usage() -> None:
    done = usherd("completion", "tcsh")

    assert done.returncode == 2
    assert "bash" in done.stderr
