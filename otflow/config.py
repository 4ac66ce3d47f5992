"""Every setting of otflow, in one table; the only file that reads the environment.

A setting `X` is read from the variable `OTFLOW_X`, else from `MLFLOW_X` (so that an environment made for MLflow
works as it is), else it has its default. A variable that is empty counts as not set. The environment is read anew
each time a setting is asked for; nothing is kept but the last value that was parsed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast

from otflow.errors import InvalidParameterError

__all__ = ["SETTINGS", "Setting"]

T = TypeVar("T")


class Kind(Generic[T]):
    """What the text of a variable may be, and how it becomes a value.

    Args:
        name: What is allowed, in words that fit behind "must be".
        parse: Text to value; raises ValueError for a text that is not allowed.
    """

    __slots__ = ("name", "parse")

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self.parse = parse


class Setting(Generic[T]):
    """One setting.

    Args:
        name: The name behind the prefixes `OTFLOW_` and `MLFLOW_`.
        kind: What is allowed.
        default: The value where no variable is set.
        meaning: One or two sentences for the reference page.
    """

    __slots__ = ("_keys", "_last", "default", "kind", "meaning", "name")

    def __init__(self, name: str, kind: Kind[Any], default: T, meaning: str) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.meaning = meaning
        self._keys: tuple[Any, Any] = (_encode_key(f"OTFLOW_{name}"), _encode_key(f"MLFLOW_{name}"))
        self._last: tuple[Any, T] = (None, default)

    @property
    def variables(self) -> tuple[str, str]:
        """The variables that are read, the first one first."""
        return f"OTFLOW_{self.name}", f"MLFLOW_{self.name}"

    def get(self) -> T:
        """The value now.

        Raises:
            InvalidParameterError: the variable that is set holds something that is not allowed.
        """
        # `os.environ.get` raises and catches a KeyError inside for each variable that is not set, and this is asked
        # for each trace: look into the mapping behind it, where there is one.
        environment: Any = getattr(os.environ, "_data", None)
        if environment is None:
            return self._parse_of(os.environ.get(self.variables[0]) or os.environ.get(self.variables[1]))
        first, second = self._keys
        text: Any = environment.get(first) or environment.get(second)
        if not text:
            return self.default
        last = self._last
        if text == last[0]:
            return last[1]
        value = self._parse_of(os.environ.decodevalue(text))
        self._last = (text, value)
        return value

    def exported(self) -> str | None:
        """What `export` set last, or whoever else set the variable (the first one)."""
        return os.environ.get(self.variables[0])

    def export(self, text: str | None) -> None:
        """Set the variable (the first one) for this process and the ones it starts; None unsets it."""
        if text is None:
            os.environ.pop(self.variables[0], None)
        else:
            os.environ[self.variables[0]] = text

    def _parse_of(self, text: str | None) -> T:
        if not text:
            return self.default
        try:
            return self.kind.parse(text)
        except ValueError:
            first, second = self.variables
            variable = first if os.environ.get(first) else second
            raise InvalidParameterError(
                f"the environment variable {variable} must be {self.kind.name}, not {text!r}"
            ) from None

    def __repr__(self) -> str:
        return f"Setting({self.name})"


def _encode_key(variable: str) -> Any:
    """The form in which the mapping behind `os.environ` has a name: bytes on POSIX, upper-case text on Windows."""
    return os.environ.encodekey(variable)


def _parse_boolean(text: str) -> bool:
    word = text.lower()
    if word not in {"true", "1", "false", "0"}:
        raise ValueError(text)
    return word in {"true", "1"}


def _number(low: float, high: float | None = None) -> Kind[float]:
    def parse(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or value < low or (high is not None and value > high):
            raise ValueError(text)
        return value

    return Kind(f"a number from {low:g} to {high:g}" if high is not None else f"a number, {low:g} or more", parse)


def _integer(low: int) -> Kind[int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < low:
            raise ValueError(text)
        return value

    return Kind(f"a whole number, {low} or more", parse)


def _choice(*words: str) -> Kind[str]:
    def parse(text: str) -> str:
        if text.upper() not in words:
            raise ValueError(text)
        return text.upper()

    return Kind(f"one of {', '.join(words)} (in upper or lower case)", parse)


_TEXT: Final[Kind[str]] = Kind("a text", str)
# The words that MLflow accepts, and no others.
_BOOLEAN: Final[Kind[bool]] = Kind("one of true, 1, false, 0 (in upper or lower case)", _parse_boolean)


# -- the table: name, what is allowed, default, meaning -----------------------------------------------

TRACKING_URI: Final[Setting[str | None]] = Setting(
    "TRACKING_URI",
    _TEXT,
    None,
    "The store: `sqlite:///file.db`, `postgresql://…`, `http(s)://…`, or a directory. `otflow.set_tracking_uri` goes "
    "before it; where neither is set it is the file `otflow.db` in the working directory.",
)
EXPERIMENT_ID: Final[Setting[str | None]] = Setting(
    "EXPERIMENT_ID",
    _TEXT,
    None,
    "The id of the experiment that traces go to. `otflow.set_experiment` goes before it.",
)
EXPERIMENT_NAME: Final[Setting[str | None]] = Setting(
    "EXPERIMENT_NAME",
    _TEXT,
    None,
    "The name of the experiment that traces go to, created where it does not exist; `EXPERIMENT_ID` goes before it.",
)
ACTIVE_MODEL_ID: Final[Setting[str | None]] = Setting(
    "ACTIVE_MODEL_ID",
    _TEXT,
    None,
    "The logged model that traces are linked to where none is active.",
)
TRACING_ENABLED: Final[Setting[bool]] = Setting(
    "TRACING_ENABLED",
    _BOOLEAN,
    True,
    "Whether spans are made at all. `otflow.tracing.enable` and `disable` go before it.",
)
TRACE_SAMPLING_RATIO: Final[Setting[float]] = Setting(
    "TRACE_SAMPLING_RATIO",
    _number(0, 1),
    1.0,
    "The share of traces that is recorded. `sampling_ratio_override` of `otflow.trace` goes before it.",
)
USE_DEFAULT_TRACER_PROVIDER: Final[Setting[bool]] = Setting(
    "USE_DEFAULT_TRACER_PROVIDER",
    _BOOLEAN,
    False,
    "If true, spans are made in an OpenTelemetry tracer provider of otflow's own; if false, in the application's.",
)
FOREIGN_SPANS: Final[Setting[str]] = Setting(
    "FOREIGN_SPANS",
    _choice("BELOW", "GENAI", "ALL", "NONE"),
    "BELOW",
    "Which spans of other instrumentation enter the store: those below a span that does, also those of GenAI "
    "instrumentation wherever they start, all of the provider's, or none. `otflow.tracing.set_span_filter` goes "
    "before it.",
)
TRACE_FLUSH_INTERVAL_MS: Final[Setting[int]] = Setting(
    "TRACE_FLUSH_INTERVAL_MS",
    _integer(1),
    50,
    "How long the writer gathers ended spans before it writes them in one transaction, in milliseconds.",
)
TRACE_QUEUE_MAX_SPANS: Final[Setting[int]] = Setting(
    "TRACE_QUEUE_MAX_SPANS",
    _integer(1),
    20_000,
    "How many ended spans may wait for the writer; when there are as many, the thread that ends one waits for room.",
)
TRACE_FLUSH_TIMEOUT_S: Final[Setting[float]] = Setting(
    "TRACE_FLUSH_TIMEOUT_S",
    _number(0),
    10.0,
    "How long a flush, and with it the exit of the process, waits for a store that does not answer, in seconds.",
)
SQLITE_SYNCHRONOUS: Final[Setting[str]] = Setting(
    "SQLITE_SYNCHRONOUS",
    _choice("OFF", "NORMAL", "FULL", "EXTRA"),
    "NORMAL",
    "SQLite's `PRAGMA synchronous`. With `NORMAL` a killed process loses nothing that was committed and a power "
    "failure may lose the last transactions; with `FULL` and `EXTRA` it does not; with `OFF` it may damage the file.",
)
TRACKING_TOKEN: Final[Setting[str | None]] = Setting(
    "TRACKING_TOKEN",
    _TEXT,
    None,
    "The bearer token sent to an `http(s)://` store.",
)
TRACKING_USERNAME: Final[Setting[str | None]] = Setting(
    "TRACKING_USERNAME",
    _TEXT,
    None,
    "The user name sent to an `http(s)://` store, for basic authentication.",
)
TRACKING_PASSWORD: Final[Setting[str | None]] = Setting(
    "TRACKING_PASSWORD",
    _TEXT,
    None,
    "The password sent to an `http(s)://` store, for basic authentication.",
)
TRACKING_INSECURE_TLS: Final[Setting[bool]] = Setting(
    "TRACKING_INSECURE_TLS",
    _BOOLEAN,
    False,
    "If true, the certificate of an `https://` store is not verified.",
)
HTTP_REQUEST_TIMEOUT: Final[Setting[float]] = Setting(
    "HTTP_REQUEST_TIMEOUT",
    _number(0),
    120.0,
    "How long an `http(s)://` store may take to answer one request, in seconds.",
)
HTTP_REQUEST_MAX_RETRIES: Final[Setting[int]] = Setting(
    "HTTP_REQUEST_MAX_RETRIES",
    _integer(0),
    7,
    "How often a request to an `http(s)://` store is tried again when the store is out of reach or overloaded.",
)

SETTINGS: Final[tuple[Setting[Any], ...]] = tuple(
    cast("Setting[Any]", value) for value in list(globals().values()) if type(value) is Setting
)
"""The table above, in its order."""
