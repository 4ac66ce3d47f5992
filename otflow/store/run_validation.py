"""What a store accepts of runs. Limits and messages are those of the released MLflow, as observed."""

from __future__ import annotations

import json
import logging
import math
import posixpath
import re
import sys
from functools import lru_cache
from typing import Any, Final

from otflow import config
from otflow.entities import Dataset, InputTag
from otflow.errors import InvalidParameterError

__all__ = [
    "check_dataset",
    "check_first_tag",
    "check_integer",
    "check_key",
    "check_label",
    "check_metric_value",
    "check_param_value",
    "check_step",
    "check_tag_value",
    "check_time",
    "check_timestamp",
    "is_key",
]

_logger = logging.getLogger("otflow")

KEY_LIMIT: Final = 250
PARAM_VALUE_LIMIT: Final = 6000
TAG_VALUE_LIMIT: Final = 8000
_DATASET_LIMITS: Final = (
    ("name", 500), ("digest", 36), ("source_type", 65_535), ("source", 65_535), ("schema", 1_048_575),
    ("profile", 16_777_215),
)  # fmt: skip
_LABEL_KEY_LIMIT: Final = 255
_LABEL_VALUE_LIMIT: Final = 500

_KEY = re.compile(r"[/\w.\- :]*").fullmatch
_LARGEST: Final = 2**63 - 1
_LATEST_MS: Final = _LARGEST // 1_000_000
"""The year 2262: times are kept in nanoseconds."""


# -- keys and texts ------------------------------------------------------------------------------------


def is_key(key: object) -> bool:
    """Whether a metric, a param or a tag may have this key."""
    return isinstance(key, str) and len(key) <= KEY_LIMIT and _problem(key) is None


def check_key(key: object, path: str, called: str) -> str:
    """The key, if a metric, a param or a tag may have it.

    Args:
        key: What is to be the key.
        path: Where it is in the request, such as `metrics[3].name`.
        called: What it is called where it is too long.

    Raises:
        InvalidParameterError: it may not be one.
    """
    if not isinstance(key, str):
        shown = "null" if key is None else repr(key)
        raise InvalidParameterError(
            f"Invalid value {shown} for parameter '{path}' supplied: A key name must be provided, as a string."
        )
    problem = _problem(key)
    if problem:
        raise InvalidParameterError(f"Invalid value {json.dumps(key)} for parameter '{path}' supplied: {problem}")
    return _fitting(key, called, KEY_LIMIT)


@lru_cache(maxsize=4096)
def _problem(key: str) -> str | None:
    """Why a text is no key; None where it is one, of whatever length."""
    if _KEY(key) is None:
        return (
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and"
            " slashes (/)."
        )
    resolved = posixpath.normpath(key)
    if resolved != key or resolved == "." or resolved.startswith(("..", "/")):
        return (
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such."
            f" This name would resolve to '{resolved}'"
        )
    return None


def check_param_value(value: object) -> str:
    """The text of a param's value; one that is too long is cut, with a warning, or refused."""
    return _cut(str(value), "Param value", PARAM_VALUE_LIMIT)


def check_tag_value(value: object, path: str) -> str:
    """The text of a tag's value; one that is too long is cut, with a warning, or refused."""
    return _cut(str(value), path, TAG_VALUE_LIMIT)


def check_first_tag(key: object, value: object) -> tuple[str, str]:
    """Key and value of a tag that a run is made with: limited in length only, as MLflow has it."""
    return _fitting(str(key), "key", KEY_LIMIT), check_tag_value(value, "value")


def _cut(text: str, called: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    if not config.TRUNCATE_LONG_VALUES.get():
        raise InvalidParameterError(f"'{called}' exceeds the maximum length of {limit} characters")
    _logger.warning("'%s' has %d characters; it is cut to %d", called, len(text), limit)
    return text[:limit]


def _fitting(text: str, called: str, limit: int) -> str:
    if len(text) > limit:
        raise InvalidParameterError(f"'{called}' exceeds the maximum length of {limit} characters")
    return text


# -- numbers -------------------------------------------------------------------------------------------


def check_metric_value(value: Any, path: str) -> float:
    """The value of a metric as a float that both databases can hold; NaN stays NaN.

    Raises:
        InvalidParameterError: it is no number.
    """
    if value is None:
        raise InvalidParameterError(f"Missing value for required parameter '{path}'.")
    try:
        # The one number in an array or a tensor.
        number = float(value.item() if hasattr(value, "item") else value)
    except OverflowError:
        raise InvalidParameterError(
            f"Invalid value for parameter '{path}' supplied: an integer too large for a double (64-bit floating point)"
        ) from None
    except (ValueError, TypeError) as error:
        shown = json.dumps(value) if isinstance(value, str) else repr(value)
        raise InvalidParameterError(
            f"Invalid value {shown} for parameter '{path}' supplied: Failed to convert metric value to float: {error}."
            " Please specify value as a valid double (64-bit floating point)"
        ) from error
    if math.isinf(number):
        return math.copysign(sys.float_info.max, number)
    return number


def check_timestamp(value: object, path: str, what: str) -> int:
    """The time of a point of a metric, in milliseconds; a fraction of one is dropped."""
    number = check_integer(value, whole=False)
    if number is None or number < 0:
        raise InvalidParameterError(
            f"Invalid value {_shown(value)} for parameter '{path}' supplied: {what}."
            " Timestamp must be a nonnegative long (64-bit integer) "
        )
    return number


def check_step(value: object, path: str, what: str) -> int:
    """The step of a point of a metric."""
    number = check_integer(value)
    if number is None:
        raise InvalidParameterError(
            f"Invalid value {_shown(value)} for parameter '{path}' supplied: {what}."
            " Step must be a valid long (64-bit integer)."
        )
    return number


def check_time(value: object, name: str) -> int:
    """A Unix time in milliseconds that a run begins or ends at; a fraction of one is dropped."""
    number = check_integer(value, whole=False)
    if number is None or abs(number) > _LATEST_MS:
        raise InvalidParameterError(
            f"Invalid value {_shown(value)} for parameter '{name}' supplied: it must be a Unix time in milliseconds,"
            " in nanoseconds a 64-bit integer"
        )
    return number


def check_integer(value: Any, *, whole: bool = True) -> int | None:
    """The 64-bit integer that a number is; None where it is none.

    Args:
        value: A number of any kind, numpy's too.
        whole: Whether a fraction is refused; else it is dropped.
    """
    if type(value) is not int:
        if isinstance(value, (str, bytes)):
            return None
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if whole and number != value:
            return None
        value = number
    return value if -_LARGEST - 1 <= value <= _LARGEST else None


def _shown(value: object) -> str:
    return "null" if value is None else json.dumps(value) if isinstance(value, str) else repr(value)


# -- datasets ------------------------------------------------------------------------------------------


def check_dataset(dataset: Dataset) -> Dataset:
    """The record of a dataset, if a run may use it.

    Raises:
        InvalidParameterError: something is missing, or longer than allowed.
    """
    for name, limit in _DATASET_LIMITS:
        value = getattr(dataset, name)
        if value is None:
            if name in ("schema", "profile"):
                continue
            raise InvalidParameterError(f"Dataset {name} cannot be None")
        if not isinstance(value, str):
            raise InvalidParameterError(f"Dataset {name} must be a string, not {value!r}")
        _fitting(value, name, limit)
    return dataset


def check_label(tag: InputTag) -> tuple[str, str]:
    """Key and value of a tag of the use of a dataset."""
    for name, value, limit in (("key", tag.key, _LABEL_KEY_LIMIT), ("value", tag.value, _LABEL_VALUE_LIMIT)):
        if value is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise InvalidParameterError(f"InputTag {name} cannot be None")
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"InputTag {name} must be a string, not {value!r}")
        _fitting(value, name, limit)
    return tag.key, tag.value
