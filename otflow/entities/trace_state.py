"""How a trace stands."""

from __future__ import annotations

from enum import Enum

from otflow.errors import InvalidParameterError

__all__ = ["TraceState", "TraceStatus"]


class TraceState(str, Enum):
    """How a trace stands."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    OK = "OK"
    ERROR = "ERROR"
    IN_PROGRESS = "IN_PROGRESS"

    @classmethod
    def of(cls, state: TraceState | str) -> TraceState:
        """The state that this is, or is the name of.

        Raises:
            InvalidParameterError: no state has this name.
        """
        if isinstance(state, cls):
            return state
        try:
            return cls(state)
        except ValueError:
            raise InvalidParameterError(
                f"{state!r} is not a valid TraceState; allowed: {[state.value for state in cls]}"
            ) from None


class TraceStatus(str, Enum):
    """The former name of `TraceState`, for `TraceInfo.status`."""

    UNSPECIFIED = "TRACE_STATUS_UNSPECIFIED"
    OK = "OK"
    ERROR = "ERROR"
    IN_PROGRESS = "IN_PROGRESS"

    def to_state(self) -> TraceState:
        """The state of the same meaning."""
        return TraceState.STATE_UNSPECIFIED if self is TraceStatus.UNSPECIFIED else TraceState(self.value)

    @classmethod
    def from_state(cls, state: TraceState) -> TraceStatus:
        """The status of the same meaning."""
        return cls.UNSPECIFIED if state is TraceState.STATE_UNSPECIFIED else cls(state.value)
