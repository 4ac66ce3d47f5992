"""Reading JSON that somebody else has written, and the forms in which protobuf writes numbers and durations."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from otflow.errors import OtflowError

__all__ = ["Json", "duration_text", "integer", "malformed", "member", "members", "reading"]

Json = Mapping[str, Any]
"""A JSON object as it was read."""

_SHOWN = 200


def malformed(what: str, value: object) -> OtflowError:
    """An error that says the other side sent something that cannot be read."""
    return OtflowError(f"The answer holds a malformed {what}: {repr(value)[:_SHOWN]}")


@contextmanager
def reading(what: str, value: object) -> Generator[None]:
    """Turn whatever is raised while an entity is made from JSON into an error that says `what` is malformed."""
    try:
        yield
    except (OtflowError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise malformed(what, value) from error


def member(data: object, key: str, what: str) -> Json:
    """The object under `key`; an absent one is empty.

    Raises:
        OtflowError: `data` or the member is not a JSON object.
    """
    value = _get(data, key, what)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise malformed(what, value)
    return cast("Json", value)


def members(data: object, key: str, what: str) -> Sequence[Json]:
    """The list of objects under `key`; an absent one is empty.

    Raises:
        OtflowError: `data` is not a JSON object, or the member not a list of them.
    """
    value = _get(data, key, what)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in cast("list[object]", value)):
        raise malformed(what, cast("object", value))
    return cast("list[Json]", value)


def _get(data: object, key: str, what: str) -> object:
    if not isinstance(data, Mapping):
        raise malformed(what, data)
    return cast("Json", data).get(key)


def integer(value: object, what: str = "number") -> int:
    """An integer; protobuf writes those of 64 bits as strings, MLflow's server as numbers. An absent one is 0.

    Raises:
        OtflowError: `value` is no integer.
    """
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise malformed(what, value)
    try:
        return int(value)
    except ValueError:
        raise malformed(what, value) from None


def duration_text(ms: int) -> str:
    """Milliseconds as a protobuf `Duration` in JSON, such as `"1.500s"`."""
    seconds, rest = divmod(abs(ms), 1000)
    sign = "-" if ms < 0 else ""
    return f"{sign}{seconds}.{rest:03d}s" if rest else f"{sign}{seconds}s"
