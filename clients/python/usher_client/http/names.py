"""Which name a name is to readers that are less strict: some make nothing of its case, or of brackets behind it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

_ENOUGH: Final = 40
"""Characters of a name that are looked at: more than any that counts has."""


def meant(name: str, names: Collection[str]) -> str | None:
    """The one of these lower-case names that some reader takes this one for.

    Go and .NET read `Model` as `model`, and letters that become one of ASCII's by case as well; Express and PHP read
    `model[]` and `[model]` in forms as `model`.
    """
    if name in names:
        return name
    bare = name[:_ENOUGH].casefold()
    if "[" in bare or "]" in bare:
        bare = bare.lstrip("[").partition("[")[0].partition("]")[0]
    return bare if bare in names else None
