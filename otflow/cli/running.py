"""Running one command line: what it prints, and how it ends."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence

from otflow.cli.parser import USAGE_ERROR, build_parser

__all__ = ["main"]

FAILURE = 1
INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + 13  # SIGPIPE, which Windows has no name for


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otflow` with these arguments, those of the process by default; returns the exit code.

    0: done. 1: it failed, and one sentence on stderr says why. 2: the command line is wrong. 3: `db check` or
    `doctor` has found problems. 130, 141: interrupted, or nobody read the output any more.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if any("://" in word for word in words):
        from otflow.cli.output import hide

        hide(words)
    try:
        arguments = build_parser().parse_args(words)
    except SystemExit as end:  # what argparse has to say is said
        return end.code if isinstance(end.code, int) else USAGE_ERROR
    try:
        if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise OSError(errno.EBADF, "stdout is closed")  # as by `>&-`
        code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return _failed(error, debug=arguments.debug)


def _failed(error: Exception, *, debug: bool) -> int:
    from otflow.cli.output import say
    from otflow.errors import OtflowError

    if debug:
        say("".join(traceback.format_exception(error)))
    elif isinstance(error, OtflowError):
        say(f"otflow: {error}")
    elif isinstance(error, OSError):
        say(f"otflow: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    else:
        say(f"otflow: {type(error).__name__}: {error} (--debug shows where)")
    return FAILURE


def _forget_stdout() -> None:
    """Let what is still to be flushed at the end go nowhere.

    Source: the note on SIGPIPE in the documentation of Python's module `signal`.
    """
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # there is no such descriptor: nothing will be flushed
        return
