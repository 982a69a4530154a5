"""Takes over `custom_validate`, the operator's own check on claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_type_hints

from usherd.config import hook
from usherd.config.litellm.jwtauth import JwtAuth
from usherd.config.litellm.notebook import Notebook
from usherd.config.problems import Unusable, quoted
from usherd.config.schema import Hooks

PATIENCE = "5s"
"""The longest that usherd lets a check take. LiteLLM waits for ever."""


def hooks(auth: JwtAuth, folder: Path, book: Notebook) -> dict[str, Any] | None:
    """The check, found and annotated as LiteLLM asks for; None: there is none.

    Its module is imported, as LiteLLM does when it starts.
    """
    name = auth.custom_validate
    if name is None:
        return None
    module, _, function = name.rpartition(".")
    written = {"validate": f"{module}:{function}", "timeout": PATIENCE}
    try:
        found = hook.resolve(Hooks(validate=f"{module}:{function}")) if module and function else None
        if found is None:
            raise Unusable(f"{quoted(name)} names no function; expected package.module.function")
        if not _is_annotated(found.call):
            raise Unusable(
                f"{quoted(name)} is not annotated as returning Literal[True], which LiteLLM asks for; expected"
                " `-> Literal[True]`"
            )
    except Unusable as error:
        beside = folder / f"{module.replace('.', '/')}.py"
        hint = "; there is one beside the configuration: put that folder into PYTHONPATH" if beside.is_file() else ""
        book.problem(auth.section.at("custom_validate"), f"{error}{hint}")
        return None
    return written


def _is_annotated(call: object) -> bool:
    try:
        # Annotations may be texts, which only the module they are from can read.
        return bool(get_type_hints(call).get("return") == Literal[True])
    except Exception:
        return False
