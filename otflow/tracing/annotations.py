"""Tags and assessments on traces: before and after they are stored."""

from __future__ import annotations

import copy
import json
import uuid
from typing import Any

from otflow import context
from otflow.entities import Assessment, AssessmentError, AssessmentSource, Expectation, Feedback
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.store.interface import Store
from otflow.tracing import evaluation_events, interrupted, privacy
from otflow.tracing.assembly import open_traces
from otflow.tracing.exporter import writer
from otflow.tracing.renamed import formerly
from otflow.tracing.spans import strings

__all__ = [
    "delete_assessment",
    "delete_trace_tag",
    "get_assessment",
    "log_assessment",
    "log_expectation",
    "log_feedback",
    "override_feedback",
    "set_trace_tag",
    "update_assessment",
]


def settled_store(uri: str | None = None) -> Store:
    """The store, once all that has ended in this process is in it."""
    writer.flush(patient=False)
    store = context.store(uri)
    interrupted.settle(store)
    return store


# -- tags --------------------------------------------------------------------------------------------


def kept_tag(key: Any, value: Any) -> dict[Any, str]:
    """What may be kept of a tag, as a dictionary of one, or of none. A key that is no text is the store's to refuse."""
    return {key: str(value)} if privacy.policy() is None or not isinstance(key, str) else strings({key: value}, "tags")


@formerly(request_id="trace_id")
def set_trace_tag(trace_id: str, key: str, value: str) -> None:
    """Set a tag on a trace, be it still active or stored.

    Args:
        trace_id: The id of the trace.
        key: The key, up to 250 characters.
        value: The value, up to 8000 characters; longer ones are cut when stored.

    Raises:
        NotFoundError: no such trace.
        InvalidParameterError: a key that is not allowed.
    """
    for kept, text in kept_tag(key, value).items():
        settled_store().set_trace_tag(trace_id, kept, text)
    trace = open_traces.by_id(trace_id)
    if trace is not None:
        trace.tags.pop(key, None)  # what was said before must not be written again over this


@formerly(request_id="trace_id")
def delete_trace_tag(trace_id: str, key: str) -> None:
    """Delete a tag of a trace, be it still active or stored.

    Args:
        trace_id: The id of the trace.
        key: The key of the tag.

    Raises:
        NotFoundError: no such trace, or no such tag on it.
    """
    settled_store().delete_trace_tag(trace_id, key)
    trace = open_traces.by_id(trace_id)
    if trace is not None:
        trace.tags.pop(key, None)


# -- assessments -------------------------------------------------------------------------------------


def log_assessment(trace_id: str, assessment: Assessment) -> Assessment:
    """Add a feedback or an expectation to a trace.

    Args:
        trace_id: The id of the trace, still active or stored.
        assessment: A `Feedback` or an `Expectation`; it is not changed.

    Where traces go to a collector and not to the store, a feedback is not kept either: it leaves as an event.

    Returns:
        The assessment as it is kept, with its id.

    Raises:
        NotFoundError: no such trace.
        InvalidParameterError: not an assessment.

    Example:
        >>> import otflow
        >>> from otflow.entities import Feedback
        >>> trace_id = otflow.log_trace("ask", request="2 + 2?", response="4")
        >>> otflow.log_assessment(trace_id, Feedback(name="correct", value=True)).value
        True
    """
    if not isinstance(assessment, Assessment):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(
            f"assessment must be a Feedback or an Expectation, not {type(assessment).__name__}: {assessment!r}"
        )
    if not isinstance(trace_id, str) or not trace_id:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"trace_id must be the id of a trace, not {trace_id!r}")
    if not isinstance(assessment.source, AssessmentSource):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(
            f"source must be an AssessmentSource, not {type(assessment.source).__name__}: {assessment.source!r}"
        )
    if assessment.span_id is not None and not isinstance(assessment.span_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"span_id must be a string, not {assessment.span_id!r}")
    for said in (assessment.feedback, assessment.expectation):
        if said is not None:
            _check_json(said.value)
    own = copy.deepcopy(assessment)
    own.trace_id = trace_id
    own.metadata = own.metadata or None
    policy = privacy.policy()
    if policy is not None:
        policy.assessment(own)
    if own.run_id is None:
        own.run_id = context.active_run_id(context.place())
    store = settled_store()
    try:
        kept = store.create_assessment(own)
    except NotFoundError:
        if not evaluation_events.leaves_alone(own):
            raise
        own.assessment_id = own.assessment_id or f"a-{uuid.uuid4().hex}"
        kept = own
    evaluation_events.emit(kept, store)
    return kept


def _check_json(value: Any) -> None:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidParameterError(
            f"the value of an assessment must be one that JSON can hold; {type(value).__name__} is not: {error}"
        ) from None


def log_expectation(
    *,
    trace_id: str,
    name: str,
    value: Any,
    source: AssessmentSource | None = None,
    metadata: dict[str, Any] | None = None,
    span_id: str | None = None,
) -> Assessment:
    """Add what was to be expected of a trace: a label, a reference answer.

    Args:
        trace_id: The id of the trace, still active or stored.
        name: The name of the expectation, e.g. "expected_answer".
        value: Any value that JSON can hold.
        source: Who says so; a human by default.
        metadata: Anything else of interest.
        span_id: The span it is about, where it is about one.

    Returns:
        The expectation as it is kept, with its id.

    Raises:
        NotFoundError: no such trace.
        InvalidParameterError: no value.
    """
    return log_assessment(
        trace_id, Expectation(name=name, value=value, source=source, metadata=metadata, span_id=span_id)
    )


def log_feedback(
    *,
    trace_id: str,
    name: str = "feedback",
    value: float | int | str | bool | dict[str, Any] | list[Any] | None = None,
    source: AssessmentSource | None = None,
    error: Exception | AssessmentError | None = None,
    rationale: str | None = None,
    metadata: dict[str, Any] | None = None,
    span_id: str | None = None,
) -> Assessment:
    """Add a judgement of a trace's quality: by a human, by code, by a language model.

    Args:
        trace_id: The id of the trace, still active or stored.
        name: The name of the feedback, e.g. "faithfulness".
        value: A number, a string, a bool, or a list or dictionary of those.
        source: Who says so; code by default.
        error: What went wrong in judging, where it did.
        rationale: Why.
        metadata: Anything else of interest.
        span_id: The span it is about, where it is about one.

    Returns:
        The feedback as it is kept, with its id.

    Raises:
        NotFoundError: no such trace.
        InvalidParameterError: neither a value nor an error, or a value of another type.
    """
    feedback = Feedback(
        name=name,
        value=value,
        source=source,
        error=error,
        rationale=rationale,
        metadata=metadata,
        span_id=span_id,
    )
    return log_assessment(trace_id, feedback)


def get_assessment(trace_id: str, assessment_id: str) -> Assessment:
    """One assessment of a trace.

    Args:
        trace_id: The trace.
        assessment_id: The assessment.

    Raises:
        NotFoundError: no such trace, or no such assessment on it.
    """
    return settled_store().get_assessment(trace_id, assessment_id)


def update_assessment(trace_id: str, assessment_id: str, assessment: Assessment) -> Assessment:
    """Change an assessment in place: its name, value, rationale and metadata.

    Args:
        trace_id: The id of the trace.
        assessment_id: The id of the assessment.
        assessment: What it becomes; a feedback stays a feedback, an expectation an expectation.

    Returns:
        The assessment as it is kept.

    Raises:
        NotFoundError: no such trace, or no such assessment on it.
        InvalidParameterError: an assessment of the other kind.
    """
    changes: dict[str, object] = {"name": assessment.name}
    for field in ("expectation", "feedback", "rationale", "metadata"):
        value = getattr(assessment, field)
        if value is not None:
            changes[field] = value
    policy = privacy.policy()
    if policy is not None:
        own = copy.deepcopy(assessment)
        policy.assessment(own)
        changes = {field: getattr(own, field) for field in changes}
    return settled_store().update_assessment(trace_id, assessment_id, changes)


def override_feedback(
    *,
    trace_id: str,
    assessment_id: str,
    value: float | int | str | bool | dict[str, Any] | list[Any],
    rationale: str | None = None,
    source: AssessmentSource | None = None,
    metadata: dict[str, Any] | None = None,
) -> Assessment:
    """Correct a feedback by a new one; the old one is kept, and marked as not valid any more.

    Args:
        trace_id: The id of the trace.
        assessment_id: The id of the feedback to override.
        value: The new value.
        rationale: Why.
        source: Who says so; code by default.
        metadata: Anything else of interest.

    Returns:
        The new feedback.

    Raises:
        NotFoundError: no such trace, or no such assessment on it.
        InvalidParameterError: the assessment is not a feedback.
    """
    old = get_assessment(trace_id, assessment_id)
    if not isinstance(old, Feedback):
        raise InvalidParameterError(f"only a feedback can be overridden; {assessment_id!r} is an expectation")
    feedback = Feedback(
        name=old.name,
        value=value,
        source=source,
        rationale=rationale,
        metadata=metadata,
        span_id=old.span_id,
        overrides=assessment_id,
    )
    return log_assessment(trace_id, feedback)


def delete_assessment(trace_id: str, assessment_id: str) -> None:
    """Delete an assessment; a feedback that it overrode becomes valid again.

    Args:
        trace_id: The id of the trace.
        assessment_id: The id of the assessment.

    Raises:
        NotFoundError: no such trace.
    """
    settled_store().delete_assessment(trace_id, assessment_id)
