"""A trace, whole."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from otflow.entities.assessment import Assessment, Expectation, Feedback
from otflow.entities.reading import reading
from otflow.entities.span import Span
from otflow.entities.trace_data import TraceData
from otflow.entities.trace_info import TraceInfo
from otflow.errors import InvalidParameterError

__all__ = ["Trace"]

_SHOWN = 200
"""Characters of a text that is not JSON, in the error that says so."""


@dataclass(slots=True)
class Trace:
    """A trace: what is known of it, and its spans.

    Args:
        info: What is known of it beside its spans.
        data: Its spans.
    """

    info: TraceInfo
    data: TraceData

    as_html: ClassVar[Callable[[Trace], str | None] | None] = None
    """How notebooks show a trace; set where there is one."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What IPython shows: https://ipython.readthedocs.io/en/stable/config/integrating.html ."""
        del include, exclude
        bundle = {"text/plain": repr(self)}
        html = Trace.as_html(self) if Trace.as_html is not None else None
        if html is not None:
            bundle["text/html"] = html
        return bundle

    def __repr__(self) -> str:
        return f"Trace(trace_id={self.info.trace_id})"

    # -- dictionaries and JSON ---------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The trace as a dictionary, as MLflow 3 writes it."""
        return {"info": self.info.to_dict(), "data": self.data.to_dict()}

    def to_json(self, pretty: bool = False) -> str:
        """The trace as JSON text.

        Args:
            pretty: On many lines, indented by two.
        """
        return json.dumps(self.to_dict(), indent=2 if pretty else None, default=str)

    @classmethod
    def from_dict(cls, trace_dict: Mapping[str, Any]) -> Trace:
        """The trace that a dictionary describes.

        Raises:
            InvalidParameterError: not the dictionary of a trace; the message says what is missing.
        """
        with reading("Trace", trace_dict):
            info, data = trace_dict.get("info"), trace_dict.get("data")
            if info is None or data is None:
                raise InvalidParameterError(
                    "Unable to parse Trace from dictionary. Expected keys: 'info' and 'data'. "
                    f"Received keys: {list(trace_dict)}"
                )
            return cls(TraceInfo.from_dict(info), TraceData.from_dict(data))

    @classmethod
    def from_dictionary(cls, the_dict: Mapping[str, Any]) -> Trace:
        """The same as `from_dict`."""
        return cls.from_dict(the_dict)

    @classmethod
    def from_json(cls, trace_json: str) -> Trace:
        """The trace that a JSON text describes.

        Raises:
            InvalidParameterError: not JSON, or not a trace.
        """
        try:
            found = json.loads(trace_json)
        except (TypeError, ValueError, RecursionError) as error:
            shown = trace_json if len(str(trace_json)) <= _SHOWN else f"{trace_json[:_SHOWN]}..."
            raise InvalidParameterError(f"Unable to parse trace JSON: {shown}. Error: {error}") from None
        return cls.from_dict(found)

    # -- pandas ------------------------------------------------------------------------------------

    @staticmethod
    def pandas_dataframe_columns() -> list[str]:
        """The columns of the data frame that a search returns."""
        return [
            "trace_id",
            "trace",
            "client_request_id",
            "state",
            "request_time",
            "execution_duration",
            "request",
            "response",
            "trace_metadata",
            "tags",
            "spans",
            "assessments",
        ]

    def to_pandas_dataframe_row(self) -> dict[str, Any]:
        """The trace as a row of that data frame."""
        root = self.data.root()
        return {
            "trace_id": self.info.trace_id,
            "trace": self.to_json(),
            "client_request_id": self.info.client_request_id,
            "state": self.info.state,
            "request_time": self.info.request_time,
            "execution_duration": self.info.execution_duration,
            "request": root.inputs if root is not None else None,
            "response": root.outputs if root is not None else None,
            "trace_metadata": self.info.trace_metadata,
            "tags": self.info.tags,
            "spans": [span.to_dict() for span in self.data.spans],
            "assessments": [assessment.to_dictionary() for assessment in self.info.assessments],
        }

    # -- searching ---------------------------------------------------------------------------------

    def search_spans(
        self,
        span_type: str | None = None,
        name: str | re.Pattern[str] | None = None,
        span_id: str | None = None,
    ) -> list[Span]:
        """The spans that match all that is given, in the order of the trace.

        Args:
            span_type: The type.
            name: The name, or a pattern that is found in it.
            span_id: The id.

        Raises:
            InvalidParameterError: an argument of another type.
        """
        if span_type is not None and not isinstance(span_type, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(
                f"Invalid type for 'span_type'. Expected str or otflow.entities.SpanType. Got: {type(span_type)}"
            )
        if name is not None and not isinstance(name, (str, re.Pattern)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"Invalid type for 'name'. Expected str or re.Pattern. Got: {type(name)}")

        def matches(span: Span) -> bool:
            if span_id is not None and span.span_id != span_id:
                return False
            if isinstance(name, re.Pattern):
                if name.search(span.name) is None:
                    return False
            elif name is not None and span.name != name:
                return False
            return span_type is None or span.span_type == span_type

        return [span for span in self.data.spans if matches(span)]

    def search_assessments(
        self,
        name: str | None = None,
        *,
        span_id: str | None = None,
        all: bool = False,  # noqa: A002 the names of MLflow
        type: Literal["expectation", "feedback"] | None = None,  # noqa: A002
    ) -> list[Assessment]:
        """The assessments that match all that is given.

        Args:
            name: The name.
            span_id: The span it is about.
            all: Those too that were overridden.
            type: Only expectations, or only feedback.
        """
        kinds: dict[str | None, builtins.type[Assessment]] = {"expectation": Expectation, "feedback": Feedback}
        kind = kinds.get(type, Assessment)

        def matches(assessment: Assessment) -> bool:
            return (
                (all or assessment.valid is not False)
                and (name is None or assessment.name == name)
                and (span_id is None or assessment.span_id == span_id)
                and isinstance(assessment, kind)
            )

        return [assessment for assessment in self.info.assessments if matches(assessment)]
