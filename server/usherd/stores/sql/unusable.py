"""What a database is refused for, and what went wrong with it: all that is known of it without speaking SQL."""

from __future__ import annotations

from usherd.errors import DirectoryUnavailable


class Failure(Exception):
    """What went wrong: names of errors and their codes alone.

    What drivers say cites rows (`Key (email)=(...) already exists`), and none of that may reach a log.
    """


class DatabaseUnusable(Exception):
    """A database that usherd cannot work with, in one sentence for an operator that names the mend."""


def cause_of(error: Exception) -> str:
    """What has gone wrong, in names of errors alone: their texts may hold anything."""
    cause = error.__cause__ if isinstance(error, DirectoryUnavailable) else None
    return str(cause) if isinstance(cause, Failure) else type(cause or error).__name__
