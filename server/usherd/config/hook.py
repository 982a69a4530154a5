"""Finds the operator's own check: a function of a module that is installed beside usherd."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from usherd.config.problems import Unusable, quoted
from usherd.config.schema import Hooks
from usherd.config.settings import HookSettings


def resolve(hooks: Hooks) -> HookSettings | None:
    """The check that the file names; None when it names none. Raises Unusable.

    Its module is imported, and so runs: it is code of the operator's, as trusted as usherd itself. It is named as
    `package.module:function`, or as LiteLLM has it, `package.module.function`.
    """
    name = hooks.validate_claims
    if name is None:
        return None
    module, mark, attribute = name.partition(":")
    if not mark:
        module, _, attribute = name.rpartition(".")
    if not module or not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        raise Unusable(f"{quoted(name)} names no function; expected package.module:function")
    found = _attribute(_imported(module), module, attribute)
    if not callable(found):
        raise Unusable(f"{quoted(name)} is no function; expected one that takes the claims of a token")
    if not _takes_claims(found):
        raise Unusable(f"{quoted(name)} does not take just the claims; expected a function of one parameter")
    return HookSettings(name=name, call=found, timeout=hooks.timeout, pure=hooks.pure)


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        # Not the error's text: it is somebody else's, and may hold anything.
        raise Unusable(
            f"the module {module} cannot be imported ({type(error).__name__}); expected one that is installed, or"
            " whose folder is in PYTHONPATH"
        ) from None


def _attribute(found: Any, module: str, names: str) -> Any:
    for name in names.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Unusable(f"the module {module} has no {names}; expected the name of a function in it") from None
    return found


def _takes_claims(call: Callable[..., object]) -> bool:
    claims: Mapping[str, object] = {}
    try:
        inspect.signature(call).bind(claims)
    except TypeError:
        return False
    except ValueError:
        # Functions that are not written in Python need not say what they take.
        return True
    return True
