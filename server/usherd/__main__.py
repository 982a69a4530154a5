"""Starts the command line, and turns what nobody expected into one plain line."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs `usherd` with the process's arguments; never returns."""
    from usherd.cli.main import app

    try:
        app(prog_name="usherd")
    except Exception as error:
        # The text and the frames of an error may hold a token; its class and place do not.
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = "" if frame is None else f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
        sys.stderr.write(f"usherd: internal error: {type(error).__name__}{place}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
