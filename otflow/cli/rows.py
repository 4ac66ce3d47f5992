"""Traces as the lines of a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Final

from otflow.cli.output import colored
from otflow.entities import TraceInfo
from otflow.semconv import Tag, TokenUsageKey
from otflow.tracing.brief import fit, printable
from otflow.tracing.display import format_duration

__all__ = ["TraceTable"]

_HEAD: Final = ("TIME", "TRACE", "STATE", "DURATION", "TOKENS", "NAME", "REQUEST → RESPONSE")
_STATE_COLORS: Final = {"OK": "32", "ERROR": "31", "IN_PROGRESS": "33"}
_LEAST: Final = (19, 35, 11, 8, 6, 12, 0)
_NAME_AT_MOST: Final = 32


class TraceTable:
    """Lines of equal columns, as wide as what is shown first needs them.

    Args:
        width: Columns of the terminal.
        color: Whether to color.
    """

    def __init__(self, width: int, color: bool) -> None:
        self._width = width
        self._color = color
        self._widths: list[int] = list(_LEAST)

    def measure(self, infos: Sequence[TraceInfo]) -> None:
        """Make the columns wide enough for these."""
        for info in infos:
            for place, text in enumerate(_cells(info)[:-1]):
                self._widths[place] = max(self._widths[place], len(text))
        self._widths[5] = min(self._widths[5], _NAME_AT_MOST)

    def head(self) -> str:
        """The names of the columns."""
        return colored(self._line(_HEAD), "2", self._color)

    def line(self, info: TraceInfo) -> str:
        """The line of one trace."""
        cells = _cells(info)
        text = self._line(cells)
        style = _STATE_COLORS.get(cells[2], "")
        if not self._color or not style:
            return text
        start = self._widths[0] + self._widths[1] + 4
        return text[:start] + colored(text[start : start + len(cells[2])], style, True) + text[start + len(cells[2]) :]

    def _line(self, cells: Sequence[str]) -> str:
        parts: list[str] = []
        for place, (text, width) in enumerate(zip(cells[:-1], self._widths, strict=False)):
            shown = _cut(text, width)
            parts.append(shown.rjust(width) if place in (3, 4) else shown.ljust(width))
        room = self._width - sum(self._widths[:-1]) - 2 * len(parts)
        if room >= 12:
            parts.append(_cut(cells[-1], room))
        return "  ".join(parts).rstrip()


def _cells(info: TraceInfo) -> tuple[str, ...]:
    usage = info.token_usage
    total = usage.get(TokenUsageKey.TOTAL) if isinstance(usage, dict) else None  # pyright: ignore[reportUnnecessaryIsInstance]
    preview = " → ".join(text for text in (info.request_preview, info.response_preview) if text)
    return (
        _moment(info.request_time),
        printable(info.trace_id),
        info.state.value,
        _duration(info.execution_duration),
        f"{total:,}" if isinstance(total, int) else "",
        printable(info.tags.get(Tag.NAME, "")),
        printable(" ".join(preview[:400].split())),
    )


def _duration(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return format_duration(milliseconds * 1_000_000) if milliseconds else "< 1 ms"


def _cut(text: str, width: int) -> str:
    return "".join(piece for piece, _ in fit([(text, "")], width, "…"))


def _moment(time_ms: int) -> str:
    """A time of the local clock."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=time_ms)
        return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return f"{time_ms} ms"
