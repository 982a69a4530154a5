"""`usherd completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

# Typer's own options for this find out the shell from its processes; whoever sets a shell up knows which one it is.
from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

_ASKED_BY = "_USHERD_COMPLETE"
"""The environment variable in which a shell asks what could come next."""

EXAMPLES = """\b
Examples:
  source <(usherd completion bash)                                 # in ~/.bashrc
  usherd completion zsh > "${fpath[1]}/_usherd"
  usherd completion fish > ~/.config/fish/completions/usherd.fish"""


class Shell(StrEnum):
    """Shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Whose words to complete.")]) -> None:
    """Prints what makes a shell complete commands and options."""
    sys.stdout.write(get_completion_script(prog_name="usherd", complete_var=_ASKED_BY, shell=shell.value) + "\n")


def answer_shells() -> None:
    """Makes the command line answer a shell that asks what could come next; without one it costs nothing."""
    if _ASKED_BY in os.environ:
        completion_init()
