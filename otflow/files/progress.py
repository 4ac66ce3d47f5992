"""Showing how far a long transfer is: by a bar of tqdm where somebody looks, else by a line in the log now and then."""

from __future__ import annotations

import logging
import sys
import threading
import time
from types import TracebackType
from typing import Any, BinaryIO, Final, cast

from otflow import config
from otflow.errors import ArgumentTypeError
from otflow.source_code import source_type

__all__ = ["Progress"]

_logger = logging.getLogger("otflow")
_SILENT_S: Final = 1.0
"""What is done sooner needs no bar."""
_EVERY_S: Final = 5.0


class Progress:
    """How much of a transfer is done; a context manager. Safe to use from several threads.

    Args:
        doing: What is being done, for the reader.
        total: How many bytes there will be; None where nobody knows.
    """

    def __init__(self, doing: str, total: int | None) -> None:
        self._doing = doing
        self._total = total
        self._done = 0
        self._begin = time.monotonic()
        self._due = self._begin + _SILENT_S
        self._bar: Any = None
        self._wanted = config.ENABLE_ARTIFACTS_PROGRESS_BAR.get() and _somebody_looks()
        self._lock = threading.Lock()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def watch(self, source: BinaryIO) -> BinaryIO:
        """The stream, with what is read from it counted."""
        return cast("BinaryIO", _Watched(source, self))

    def add(self, number: int) -> None:
        """So many bytes more are done."""
        with self._lock:
            self._done += number
            now = time.monotonic()
            if self._bar is not None:
                self._bar.update(number)
            elif now >= self._due:
                self._due = now + _EVERY_S
                self._show(now - self._begin)

    def _show(self, seconds: float) -> None:
        if self._wanted:
            self._wanted = False
            try:
                from tqdm import tqdm
            except ImportError:
                pass
            else:
                self._bar = tqdm(desc=self._doing, total=self._total, initial=self._done, unit="B", unit_scale=True)
                return
        if seconds >= _EVERY_S:
            total = "" if self._total is None else f" of {self._total / 1e6:.1f}"
            _logger.info("%s: %.1f%s MB in %.0f s", self._doing, self._done / 1e6, total, seconds)


class _Watched:
    """A stream that says how much is read from it; whatever else it can, it can still."""

    def __init__(self, source: BinaryIO, progress: Progress) -> None:
        self._source = source
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        if isinstance(data, str):
            raise ArgumentTypeError(f"a binary stream is needed, whose read() gives bytes, not {data[:20]!r}")
        self._progress.add(len(data))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        before = self._source.tell()
        after = self._source.seek(offset, whence)
        if whence == 0 and after < before:  # what is read once more was counted
            self._progress.add(after - before)
        return after

    def __iter__(self) -> _Watched:
        return self

    def __next__(self) -> bytes:
        data = self.read(1 << 16)
        if not data:
            raise StopIteration
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


def _somebody_looks() -> bool:
    return source_type() == "NOTEBOOK" or (sys.stderr is not None and sys.stderr.isatty())
