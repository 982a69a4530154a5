"""Reports bugs to the log: what kind of exception, where, and in which call; never what the exception says."""

from __future__ import annotations

import logging

from usherd.errors import Fault, InternalFault

_log = logging.getLogger("usherd.rpc")


def bug_behind(fault: Fault) -> BaseException | None:
    """The bug that an InternalFault stands for. Other faults are no bugs."""
    return (fault.__cause__ or fault) if isinstance(fault, InternalFault) else None


def report_bug(error: BaseException, *, method: str = "", request_id: str = "", trace_id: str = "") -> None:
    """Logs the class and the place of the exception, and of its call what is known."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = "" if frame is None else f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
    known = {"method": method, "request_id": request_id, "trace_id": trace_id}
    about = {name: value for name, value in known.items() if value}
    _log.error("internal_fault", extra={"error": type(error).__name__, "where": where, **about})
