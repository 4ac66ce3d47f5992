"""Times as texts, as they stand in the JSON of entities."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from otflow.errors import InvalidParameterError

__all__ = ["time_from_text", "time_to_text"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MS = timedelta(milliseconds=1)
_TEXT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


def time_to_text(time_ms: int) -> str:
    """A time as protobuf's JSON writes it: RFC 3339 in UTC, with three digits of the second or none.

    Source: protobuf's JSON mapping of `google.protobuf.Timestamp`.

    Raises:
        InvalidParameterError: no time, or none within the years 1 to 9999.
    """
    try:
        moment = _EPOCH + int(time_ms) * _MS
    except (TypeError, ValueError, OverflowError):
        raise InvalidParameterError(
            f"{time_ms!r} is not a Unix time in milliseconds within the years 1 to 9999"
        ) from None
    # Not by `strftime`: on some platforms it does not pad years before 1000.
    text = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z"


def time_from_text(text: Any) -> int:
    """Unix time in milliseconds, of RFC 3339 text or of a number.

    Raises:
        InvalidParameterError: neither.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return int(text)
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    try:
        if found is None:
            raise ValueError
        moment = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    except ValueError:
        raise InvalidParameterError(
            f"{text!r} is not a time; allowed: RFC 3339 such as '2024-01-31T12:00:00.123Z'"
        ) from None
    return (moment - _EPOCH) // _MS + int((found[2] or "0")[:3].ljust(3, "0"))
