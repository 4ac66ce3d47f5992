"""What the command prints: text that cannot harm a terminal and tells no password, and files that are whole."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import IO, Any, Final

__all__ = ["colored", "hide", "masked", "open_output", "put", "say", "terminal_width", "wants_color"]

_WIDTH: Final = 160
_PASSWORD: Final = re.compile(r"(\w://[^\s/:@]*):[^\s]*@")
_AUTHORITY: Final = re.compile(r"\w://[^/:@\s]*:(.*)@")
_PASSWORD_KEY: Final = re.compile(r"(?i)(\bpassword=)[^&\s'\"]+")


_secrets: set[str] = set()
"""What looked like the password of a URI among what this command was told; also in parts, as drivers misread them."""


def hide(words: Iterable[str]) -> None:
    """Never print what is a password in these."""
    for word in words:
        found = _AUTHORITY.search(word)
        if found is not None:
            _secrets.update(part for part in (found[1], *found[1].split("@")) if len(part) > 2)


def masked(text: str) -> str:
    """The text without the passwords of the URIs in it."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _PASSWORD_KEY.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


def put(text: str, *, end: str = "\n") -> None:
    """Print on stdout; what its encoding does not have is escaped."""
    _write(sys.stdout, text + end)


def say(text: str) -> None:
    """Print on stderr, for people: without passwords and control characters."""
    from otflow.tracing.brief import printable

    _write(sys.stderr, "\n".join(printable(line) for line in masked(text).rstrip("\n").split("\n")) + "\n")
    sys.stderr.flush()


def _write(stream: IO[str], text: str) -> None:
    encoding: str = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def wants_color() -> bool:
    """Whether stdout is a terminal that may be colored; the variable NO_COLOR says that it may not."""
    from otflow import config

    return sys.stdout.isatty() and not config.no_color()


def colored(text: str, style: str, color: bool) -> str:
    """The text in a color, if it is to be colored."""
    return f"\x1b[{style}m{text}\x1b[0m" if color and style else text


def terminal_width() -> int:
    """Columns of the terminal; many, where there is none."""
    return max(60, shutil.get_terminal_size((_WIDTH, 24)).columns)


@contextmanager
def open_output(name: str) -> Generator[IO[bytes], None, None]:
    """A file for writing, or stdout for `-`. A file appears under its name once it is whole, or not at all."""
    if name == "-":
        sys.stdout.flush()
        stream: Any = sys.stdout.buffer
        yield stream
        stream.flush()
        return
    if os.path.exists(name) and not os.path.isfile(name):  # a device or a pipe
        with open(name, "wb") as device:
            yield device
        return
    folder, base = os.path.split(os.path.abspath(name))
    try:
        handle, path = tempfile.mkstemp(prefix=f".{base}.", dir=folder)
    except OSError as error:
        error.filename = name  # not that of the temporary file
        raise
    try:
        with open(handle, "wb") as file:
            if name.endswith(".gz"):
                import gzip

                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                    yield packed  # pyright: ignore[reportReturnType]
            else:
                yield file
        os.chmod(path, 0o666 & ~_umask())
        os.replace(path, name)
    except BaseException:
        os.unlink(path)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
