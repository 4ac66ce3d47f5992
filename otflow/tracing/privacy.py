"""What may be kept: privacy rules, and whether content is kept at all.

**Where.** On spans of otflow's making rules apply in the traced call, when something is set, before OpenTelemetry has
it: no exporter of the application's sees more than otflow does. All that goes to a store or leaves by OTLP passes the
rules once more on its way out (`outgoing`), and there the spans of other instrumentation meet them for the first time.
**Fail-closed.** What a rule fails on is not kept, and what a span processor fails on is taken out of the span.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from otflow import config
from otflow.entities import LiveSpan, Span, SpanEvent, contentless
from otflow.entities.link import Link
from otflow.errors import InvalidParameterError, OtflowError
from otflow.semconv import SCOPE
from otflow.tracing import guard
from otflow.tracing.redaction import Redactor
from otflow.tracing.rules import (
    ATTACHMENTS,
    CREDENTIALS,
    PERSONAL,
    Pattern,
    Rule,
    drop,
    hashed,
    mask,
    replace,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from otflow.entities import Assessment

__all__ = [
    "ATTACHMENTS",
    "CREDENTIALS",
    "PERSONAL",
    "Pattern",
    "PrivacyContext",
    "Rule",
    "drop",
    "hashed",
    "is_own",
    "mask",
    "outgoing",
    "policy",
    "replace",
    "reset",
    "set_privacy_rules",
]


class Policy:
    """What is kept of content: what the rules leave, or nothing.

    Args:
        rules: The rules.
        keep_content: Whether inputs, outputs, messages and the like are kept at all.
    """

    def __init__(self, rules: Sequence[Rule], keep_content: bool) -> None:
        self.rules = tuple(rules)
        self.keeps_content = keep_content
        self._redactor = Redactor(self.rules)
        self.looks_into_texts = keep_content and any(
            rule.kind in ("key", "pattern") and "outputs" in rule.where for rule in self.rules
        )

    def stream(self, items: list[Any]) -> list[Any]:
        """The items of a stream, without what is to go and stands in several of them."""
        return self._redactor.stream(items)

    def attribute(self, key: str, value: Any) -> Any:
        """A live value as the OpenTelemetry attribute that may be kept; None where none may."""
        if not self.keeps_content and contentless.attribute(key, value) is None:
            return None
        return self._redactor.attribute(key, value)

    def key(self, key: str) -> str:
        """The key of an attribute that may be kept."""
        return self._redactor.text(key, "attributes")

    def event(self, name: str, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name and the attributes of an event that may be kept."""
        if not self.keeps_content:
            name, attributes = contentless.event(name, attributes)
        return self._redactor.event(name, attributes)

    def message(self, text: str) -> str:
        """The message of an error that may be kept."""
        return self._redactor.message(text if self.keeps_content else contentless.error_type(text))

    def name(self, name: str) -> str:
        """The name of a span or a trace that may be kept."""
        return self._redactor.name(name)

    def encoded(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes, as OpenTelemetry holds them, that may be kept."""
        found: dict[str, Any] = {}
        for key, value in attributes.items():
            if not self.keeps_content and not contentless.is_harmless(key, value):
                continue
            kept = self._redactor.encoded(key, value)
            if kept is not None:
                found[self.key(key)] = kept
        return found

    def typed(self, value: Any, where: str) -> Any:
        """A live value, with what rules by type are about replaced."""
        return self._redactor.typed(value, where)

    def plain(self, value: Any, where: str) -> Any:
        """A value that may be kept, in terms of what JSON knows."""
        return self._redactor.plain(value, where)

    def labels(self, values: Mapping[str, str], where: str) -> dict[str, str]:
        """Tags or metadata that may be kept."""
        return self._redactor.mapping(values, where)

    def text(self, text: str, where: str) -> str:
        """A text that may be kept."""
        return self._redactor.text(text, where)

    def preview(self, text: str) -> str:
        """A preview that may be kept; empty where none may."""
        return self._redactor.text(text, "previews") if self.keeps_content else ""

    def assessment(self, own: Assessment) -> None:
        """Rewrite an assessment, which nobody else holds yet, into what may be kept."""
        for said in (own.feedback, own.expectation):
            if said is not None:
                said.value = self.plain(
                    said.value if self.keeps_content else contentless.rating(said.value), "assessments"
                )
        error = own.feedback.error if own.feedback is not None else None
        if error is not None:
            for field in ("error_message", "stack_trace"):
                text = getattr(error, field)
                if isinstance(text, str):
                    kept = text if self.keeps_content else contentless.frames(text)
                    setattr(error, field, self.text(kept, "exceptions"))
        if own.rationale is not None:
            own.rationale = self.text(own.rationale, "assessments") if self.keeps_content else None
        own.source.source_id = self.text(own.source.source_id, "assessments")
        if own.metadata:
            own.metadata = self.labels(own.metadata, "assessments")
        own.name = self.text(own.name, "assessments")

    def logged(self, text: str) -> str:
        """A text that may be logged."""
        return self._redactor.text(text, "logs")

    def span(self, span: Span) -> Span:
        """A span that may leave this process."""
        status = span.status
        events: list[SpanEvent] = []
        for one in span.events:
            name, attributes = self.event(one.name, one.attributes)
            events.append(SpanEvent(name, one.timestamp, attributes))
        return Span.of(
            trace_id=span.trace_id,
            span_id=span.span_id,
            parent_id=span.parent_id,
            name=self.name(span.name),
            start_ns=span.start_time_ns,
            end_ns=span.end_time_ns,
            status_code=span.status_code,
            status_message=self.message(status.description) if status.description else "",
            kind=span.kind,
            attributes=self.encoded(span.raw_attributes),
            events=events,
            links=[Link(link.trace_id, link.span_id, self.encoded(link.attributes or {})) for link in span.links],
            scope=span.scope,
            resource=span.resource or None,
            otel_trace_id=span.otel_trace_id,
        )


class _Undecided:
    """Stands where the policy will be, until somebody asks: then the settings are read."""

    def __getattr__(self, name: str) -> Any:
        found = policy()
        return getattr(found if found is not None else _KEEP_ALL, name)


_KEEP_ALL = Policy((), True)
_UNDECIDED = _Undecided()


def policy() -> Policy | None:
    """What is kept now; None where all is."""
    found: Any = LiveSpan.policy
    if found is _UNDECIDED:
        _install((), guard.setting(config.CAPTURE_CONTENT))
        found = LiveSpan.policy
    return found


def _install(rules: Sequence[Rule], keep_content: bool) -> None:
    LiveSpan.policy = Policy(rules, keep_content) if rules or not keep_content else None
    OtflowError.clean = _error_text if rules else None
    _logger.removeFilter(_filter)
    if LiveSpan.policy is not None:
        _logger.addFilter(_filter)


def reset() -> None:
    """Forget the rules; the settings are read again."""
    _logger.removeFilter(_filter)
    OtflowError.clean = None
    undecided: Any = _UNDECIDED
    LiveSpan.policy = undecided


class PrivacyContext:
    """What `set_privacy_rules` returns: in a `with` statement, the rules before hold again at the end."""

    def __init__(self, previous: Policy | None) -> None:
        self._previous = previous

    def __enter__(self) -> PrivacyContext:
        return self

    def __exit__(self, *exc_info: object) -> None:
        previous = self._previous
        _install(previous.rules if previous else (), previous.keeps_content if previous else True)


def set_privacy_rules(rules: Sequence[Rule] | None = None, *, capture_content: bool | None = None) -> PrivacyContext:
    """Say what must not be kept, in the whole process: for good, or for the length of a `with` statement.

    Rules apply to what is set from now on. They rewrite what is recorded, never the values in the program. What a rule
    fails on is not kept: "[redaction failed]" stands in its place.

    Args:
        rules: The rules, in the order in which they apply; an empty list removes all, None changes none.
        capture_content: Whether inputs, outputs, messages and the messages of errors are kept at all; None changes
            nothing: as last said, else as the setting CAPTURE_CONTENT says.

    Returns:
        A context manager that restores what was before.

    Raises:
        InvalidParameterError: something other than rules.

    Example:
        >>> import otflow
        >>> from otflow.tracing.privacy import CREDENTIALS, Rule, mask
        >>> with otflow.tracing.set_privacy_rules([*CREDENTIALS, Rule(pattern="card", action=mask(4))]):
        ...     trace_id = otflow.log_trace("pay", request={"card": "4111 1111 1111 1111", "password": "hunter2"})
        >>> otflow.get_trace(trace_id).data.spans[0].inputs
        {'card': '***1111', 'password': '[redacted]'}
    """
    before = policy()
    now: tuple[Rule, ...] = before.rules if before is not None else ()
    if rules is not None:
        given: Any = rules
        if isinstance(given, (Rule, str)) or not isinstance(given, Sequence):
            raise InvalidParameterError(f"rules must be a list of Rule, not {type(given).__name__}")
        for rule in cast("Sequence[Any]", given):
            if not isinstance(rule, Rule):
                raise InvalidParameterError(
                    f"rules must be a list of Rule, but one of them is {type(rule).__name__}; sets of ready-made rules "
                    "are added by [*CREDENTIALS, ...]"
                )
        now = tuple(rules)
    keep = capture_content if capture_content is not None else before is None or before.keeps_content
    _install(now, keep)
    return PrivacyContext(before)


# -- on the way out ----------------------------------------------------------------------------------------


def is_own(span: ReadableSpan) -> bool:
    """Whether a span is of otflow's making."""
    scope = span.instrumentation_scope
    return scope is not None and scope.name == SCOPE


def outgoing(span: Span) -> Span:
    """The span as it may leave this process, other instrumentation's too. Called in the writer's thread."""
    if span.end_time_ns is None and LiveSpan.before_end and span.scope == SCOPE:
        return _UNSEEN.span(span)
    found = policy()
    return span if found is None else found.span(span)


_UNSEEN = Policy((), False)
"""For spans that are open yet: the span processors have still to see them."""


# -- logs --------------------------------------------------------------------------------------------------


class _LogFilter(logging.Filter):
    """Applies the policy to what otflow logs: the errors in it are often of the traced program."""

    def filter(self, record: logging.LogRecord) -> bool:
        found = policy()
        if found is None:
            return True
        try:
            keeps = found.keeps_content
            trace = ""
            if record.exc_info and record.exc_info[1] is not None:
                trace = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
            if not keeps and isinstance(record.args, tuple):
                record.args = tuple("(not kept)" if isinstance(one, BaseException) else one for one in record.args)
            record.msg, record.args = found.logged(record.getMessage()), ()
            # Handlers get the text only: with the exception itself they would have the values, variables too.
            record.exc_info = None
            record.exc_text = (found.logged(trace) if keeps else contentless.frames(trace)) or None
        except Exception as error:
            record.msg, record.args = f"[redaction failed: {type(error).__name__}]", ()
            record.exc_info = record.exc_text = None
        return True


_cleaning = threading.local()


def _error_text(text: str) -> str:
    """What may be said of the message of one of otflow's errors: it names the value that is not allowed."""
    found = policy()
    # A rule that fails is told of by an error too, which says nothing of the value.
    if found is None or getattr(_cleaning, "now", False):
        return text
    _cleaning.now = True
    try:
        return found.text(text, "exceptions")
    finally:
        _cleaning.now = False


_logger = logging.getLogger("otflow")
_filter = _LogFilter()

reset()
