"""What a store accepts: names, tags, numbers. Limits and messages are those of the released MLflow, as observed."""

from __future__ import annotations

import dataclasses
import logging
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from otflow.entities.truncation import LONGEST_LABEL, label
from otflow.errors import InvalidParameterError

if TYPE_CHECKING:
    from otflow.store.interface import TraceWrite

__all__ = [
    "EXPERIMENT_NAME_LIMIT",
    "TAG_KEY_LIMIT",
    "check_experiment_name",
    "check_experiment_tag",
    "check_first_tags",
    "check_links",
    "check_max_results",
    "check_tag_key",
    "check_trace_deletion",
    "check_trace_tag",
    "with_fitting_labels",
]

_logger = logging.getLogger("otflow")

EXPERIMENT_NAME_LIMIT: Final = 500
TAG_KEY_LIMIT: Final = 250
EXPERIMENT_TAG_VALUE_LIMIT: Final = 5000
TRACE_TAG_VALUE_LIMIT: Final = 8000
LINKS_AT_ONCE: Final = 100

_TAG_KEY = re.compile(r"[/\w.\- :]*").fullmatch


def check_experiment_name(name: object) -> str:
    """The name, if an experiment may have it."""
    if name is None or name == "":
        raise InvalidParameterError(f"Invalid experiment name: '{name or ''}'. It must be a string that is not empty.")
    if not isinstance(name, str):
        raise InvalidParameterError(f"Invalid experiment name: {name!r}. Expects a string.")
    return _check_length("name", name, EXPERIMENT_NAME_LIMIT)


def check_tag_key(key: object) -> str:
    """The key, if a tag may have it."""
    if key is None:
        raise InvalidParameterError("Missing value for required parameter 'key'.")
    if not isinstance(key, str):
        raise InvalidParameterError(f"Invalid value {key!r} for parameter 'key' supplied: it must be a string.")
    if _TAG_KEY(key) is None:
        raise InvalidParameterError(
            f"Invalid value \"{key}\" for parameter 'key' supplied: Names may only contain alphanumerics,"
            " underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
        )
    resolved = posixpath.normpath(key)
    if resolved != key or resolved == "." or resolved.startswith(("..", "/")):
        raise InvalidParameterError(
            f"Invalid value \"{key}\" for parameter 'key' supplied: Names may be treated as files in certain cases,"
            f" and must not resolve to other names when treated as such. This name would resolve to '{resolved}'"
        )
    return _check_length("key", key, TAG_KEY_LIMIT)


def check_experiment_tag(key: object, value: object) -> tuple[str, str]:
    """Key and value of a tag of an experiment, the value as a string."""
    return check_tag_key(key), _check_length("value", str(value), EXPERIMENT_TAG_VALUE_LIMIT)


def check_first_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """The tags that an experiment is created with: limited in length only, as MLflow does."""
    return {
        _check_length("key", str(key), TAG_KEY_LIMIT): _check_length("value", str(value), EXPERIMENT_TAG_VALUE_LIMIT)
        for key, value in tags.items()
    }


def check_trace_tag(key: object, value: object) -> tuple[str, str]:
    """Key and value of a tag of a trace; a value that is too long is cut, with a warning."""
    key, text = check_tag_key(key), str(value)
    if len(text) > TRACE_TAG_VALUE_LIMIT:
        _logger.warning(
            "the value of the trace tag %r has %d characters; it is cut to %d", key, len(text), TRACE_TAG_VALUE_LIMIT
        )
        text = text[:TRACE_TAG_VALUE_LIMIT]
    return key, text


def with_fitting_labels(write: TraceWrite) -> TraceWrite:
    """What is said of a trace, with tags, metadata and previews that lists of traces can be read with.

    MLflow takes any length of those that a trace is made with; far longer than what it allows later, they are cut.
    """
    texts = (
        *write.tags.values(), *write.metadata.values(),
        write.request_preview, write.response_preview, write.client_request_id,
    )  # fmt: skip
    if all(text is None or len(text) * 4 <= LONGEST_LABEL for text in texts):
        return write

    def cut(text: str | None) -> str | None:
        return None if text is None else label(text)

    return dataclasses.replace(
        write,
        tags={key: cut(value) for key, value in write.tags.items()},
        metadata={key: label(value) for key, value in write.metadata.items()},
        request_preview=cut(write.request_preview),
        response_preview=cut(write.response_preview),
        client_request_id=cut(write.client_request_id),
    )


def check_max_results(max_results: object, at_most: int) -> int:
    """The number, if a page may be so long."""
    if isinstance(max_results, bool) or not isinstance(max_results, int) or max_results < 1:
        raise InvalidParameterError(
            f"Invalid value {max_results!r} for parameter 'max_results' supplied. It must be a positive integer"
        )
    if max_results > at_most:
        raise InvalidParameterError(
            f"Invalid value {max_results} for parameter 'max_results' supplied. It must be at most {at_most}"
        )
    return max_results


def check_trace_deletion(max_timestamp_ms: object, max_traces: object, trace_ids: Sequence[str] | None) -> None:
    """Whether the arguments of `delete_traces` say what to delete."""
    if max_timestamp_ms is None and not trace_ids:
        raise InvalidParameterError("Either `max_timestamp_millis` or `trace_ids` must be specified.")
    if max_timestamp_ms is not None and trace_ids:
        raise InvalidParameterError("Only one of `max_timestamp_millis` and `trace_ids` can be specified.")
    if max_traces is not None and trace_ids:
        raise InvalidParameterError("`max_traces` can't be specified if `trace_ids` is specified.")
    if max_traces is not None and (isinstance(max_traces, bool) or not isinstance(max_traces, int) or max_traces < 1):
        raise InvalidParameterError(f"`max_traces` must be a positive integer, received {max_traces!r}.")
    if max_timestamp_ms is not None and (
        isinstance(max_timestamp_ms, bool) or not isinstance(max_timestamp_ms, (int, float))
    ):
        raise InvalidParameterError(f"`max_timestamp_millis` must be a number, received {max_timestamp_ms!r}.")
    if isinstance(trace_ids, str):
        raise InvalidParameterError(f"`trace_ids` must be a list of strings, received {trace_ids!r}.")


def _check_length(parameter: str, text: str, limit: int) -> str:
    if len(text) > limit:
        raise InvalidParameterError(f"'{parameter}' exceeds the maximum length of {limit} characters")
    return text


def check_links(trace_ids: Sequence[str], run_id: object) -> None:
    """Whether traces can be linked to a run in one call."""
    if not isinstance(run_id, str) or not run_id:
        raise InvalidParameterError(f"a run id is a string that is not empty, not {run_id!r}")
    if len(trace_ids) > LINKS_AT_ONCE:
        raise InvalidParameterError(
            f"Cannot link more than {LINKS_AT_ONCE} traces to a run in a single request."
            f" Provided {len(trace_ids)} traces."
        )
