"""Every setting of otflow, in one table; beside `otflow.otel_variables` the only file that reads the environment.

A setting `X` is read from the variable `OTFLOW_X`, else from `MLFLOW_X` (so that an environment made for MLflow
works as it is), else it has its default. A variable that is empty counts as not set. The environment is read anew
each time a setting is asked for; nothing is kept but the last value that was parsed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
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
        legacy: An older variable, read where neither of the two is set.
    """

    __slots__ = ("_keys", "_last", "_legacy", "default", "kind", "meaning", "name")

    def __init__(self, name: str, kind: Kind[Any], default: T, meaning: str, legacy: str = "") -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.meaning = meaning
        self._keys = tuple(_encode_key(variable) for variable in (f"OTFLOW_{name}", f"MLFLOW_{name}", legacy))
        self._last: tuple[Any, T] = (None, default)
        self._legacy = legacy

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
            first, second = self.variables
            return self._parse_of(os.environ.get(first) or os.environ.get(second) or os.environ.get(self._legacy))
        first, second, legacy = self._keys
        text: Any = environment.get(first) or environment.get(second) or environment.get(legacy)
        if not text:
            return self.default
        last = self._last
        if text == last[0]:
            return last[1]
        value = self._parse_of(os.environ.decodevalue(text))
        self._last = (text, value)
        return value

    def take(self) -> T:
        """The value now; it is unset then, for this process and the ones it starts."""
        value = self.get()
        for variable in (*self.variables, self._legacy):
            os.environ.pop(variable, None)
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


def _parse_seconds(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise ValueError(text)
    return value


def _choice(*words: str) -> Kind[str]:
    def parse(text: str) -> str:
        if text.upper() not in words:
            raise ValueError(text)
        return text.upper()

    return Kind(f"one of {', '.join(words)} (in upper or lower case)", parse)


def _words(*known: str) -> Kind[tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        words = tuple(word.strip().lower() for word in text.split(",") if word.strip())
        if not words or not set(words) <= set(known):
            raise ValueError(text)
        return words

    return Kind(f"one or several of {', '.join(known)}, separated by commas", parse)


_TEXT: Final[Kind[str]] = Kind("a text", str)
_SECONDS: Final[Kind[float]] = Kind("a number of seconds, 0 or more, or inf", _parse_seconds)
# The words that MLflow accepts, and no others.
_BOOLEAN: Final[Kind[bool]] = Kind("one of true, 1, false, 0 (in upper or lower case)", _parse_boolean)


def no_color() -> bool:
    """Whether a terminal is not to be colored: `NO_COLOR` is set (see no-color.org), or the terminal is a dumb one."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def variables(prefixes: tuple[str, ...]) -> dict[str, str]:
    """The variables of the environment whose names begin with one of these, by name."""
    return {name: text for name, text in sorted(os.environ.items()) if name.startswith(prefixes)}


# -- the table: name, what is allowed, default, meaning -----------------------------------------------

TRACKING_URI: Final[Setting[str | None]] = Setting(
    "TRACKING_URI",
    _TEXT,
    None,
    "The store: `sqlite:///file.db`, `postgresql://…`, `http(s)://…`, or a directory. `otflow.set_tracking_uri` goes "
    "before it; where neither is set it is the file `otflow.db` in the working directory.",
)
REGISTRY_URI: Final[Setting[str | None]] = Setting(
    "REGISTRY_URI",
    _TEXT,
    None,
    "The store of registered models and prompts, where it is another one. `otflow.set_registry_uri` goes before it.",
)
WORKSPACE: Final[Setting[str | None]] = Setting(
    "WORKSPACE",
    _TEXT,
    None,
    "The workspace that is active; `otflow.set_workspace` goes before it. Where neither is set it is `default`.",
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
    "The logged model that traces are linked to where none is active. `_MLFLOW_ACTIVE_MODEL_ID` is read last.",
    legacy="_MLFLOW_ACTIVE_MODEL_ID",
)
ALIAS_PROMPT_CACHE_TTL_SECONDS: Final[Setting[float]] = Setting(
    "ALIAS_PROMPT_CACHE_TTL_SECONDS",
    _SECONDS,
    60.0,
    "How long `load_prompt` may answer from memory what an alias means, or which version is the latest. 0: never.",
)
VERSION_PROMPT_CACHE_TTL_SECONDS: Final[Setting[float]] = Setting(
    "VERSION_PROMPT_CACHE_TTL_SECONDS",
    _SECONDS,
    math.inf,
    "How long `load_prompt` may answer from memory for a version, whose template never changes. 0: never.",
)
PROMPT_CACHE_MAX_SIZE: Final[Setting[int]] = Setting(
    "PROMPT_CACHE_MAX_SIZE",
    _integer(0),
    128,
    "How many prompts `load_prompt` keeps in memory; those used last are kept.",
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
CAPTURE_CONTENT: Final[Setting[bool]] = Setting(
    "CAPTURE_CONTENT",
    _BOOLEAN,
    True,
    "If false, no inputs, outputs, messages, previews and messages of errors are kept, those of other "
    "instrumentation's spans neither; what ran, when, how long and at what cost is. Read when the first span starts.",
)
SPAN_PROCESSOR_FAILURE: Final[Setting[str]] = Setting(
    "SPAN_PROCESSOR_FAILURE",
    _choice("DROP", "KEEP"),
    "DROP",
    "What becomes of a span whose span processor raised: its content is dropped, since the processor may have been "
    "there to mask it, or kept as it is.",
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
TRACE_SYNC: Final[Setting[str]] = Setting(
    "TRACE_SYNC",
    _choice("AUTO", "TRUE", "FALSE"),
    "AUTO",
    "If true, the end of a trace waits until the trace is written: for processes that are frozen or ended by force "
    "right after their work. `AUTO` is true in AWS Lambda functions (where `AWS_LAMBDA_FUNCTION_NAME` is set).",
)
TRACE_FLUSH_ON_SIGTERM: Final[Setting[bool]] = Setting(
    "TRACE_FLUSH_ON_SIGTERM",
    _BOOLEAN,
    False,
    "If true, a process that would be ended by SIGTERM writes what has ended before. Takes effect where the first span "
    "starts in the main thread and the program has no handler of its own.",
)
TRACE_MAX_OPEN: Final[Setting[int]] = Setting(
    "TRACE_MAX_OPEN",
    _integer(1),
    10_000,
    "How many traces, and how many spans, may be open in memory; beyond it the oldest are written as they are now. "
    "They may still end later.",
)
MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK: Final[Setting[int]] = Setting(
    "MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK",
    _integer(0),
    10,
    "How many traces are shown below one cell of a notebook.",
)
SPOOL_DIR: Final[Setting[str | None]] = Setting(
    "SPOOL_DIR",
    _TEXT,
    None,
    "The directory in which spans wait for a destination that is away; by default `otflow/spool` in the user's "
    "directory for caches.",
)
SPOOL_MAX_MB: Final[Setting[int]] = Setting(
    "SPOOL_MAX_MB",
    _integer(0),
    512,
    "How many megabytes may wait on disk for one destination; beyond it spans are lost, and counted. 0: nothing is "
    "put on disk.",
)
ATTRIBUTE_MAX_BYTES: Final[Setting[int | None]] = Setting(
    "ATTRIBUTE_MAX_BYTES",
    _integer(64),
    None,
    "The longest value of an attribute that is kept, in bytes; a longer one is cut, stays JSON and says so. "
    "Without it values are kept whole, whatever their length.",
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
    "TRACKING_USERNAME", _TEXT, None, "The user name sent to an `http(s)://` store, for basic authentication."
)
TRACKING_PASSWORD: Final[Setting[str | None]] = Setting(
    "TRACKING_PASSWORD", _TEXT, None, "The password sent to an `http(s)://` store, for basic authentication."
)
CREDENTIALS_FILE: Final[Setting[str | None]] = Setting(
    "CREDENTIALS_FILE", _TEXT, None, "Where `login` keeps credentials of servers; default: `~/.mlflow/credentials`."
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
ENABLE_OTLP_EXPORTER: Final[Setting[bool]] = Setting(
    "ENABLE_OTLP_EXPORTER",
    _BOOLEAN,
    True,
    "Whether traces leave by OTLP where OpenTelemetry's variables name a collector for them.",
)
TRACE_ENABLE_OTLP_DUAL_EXPORT: Final[Setting[bool]] = Setting(
    "TRACE_ENABLE_OTLP_DUAL_EXPORT",
    _BOOLEAN,
    False,
    "If true, traces that leave by OTLP go to the store as well; if false, they go to the collector alone.",
)
RUN_ID: Final[Setting[str | None]] = Setting(
    "RUN_ID",
    _TEXT,
    None,
    "The run that `otflow.start_run` resumes where it is given none; set by whoever starts this process for a run.",
)
ENABLE_ASYNC_LOGGING: Final[Setting[bool]] = Setting(
    "ENABLE_ASYNC_LOGGING",
    _BOOLEAN,
    False,
    "Whether metrics, params and tags are logged without waiting where `synchronous` is not given.",
)
TRUNCATE_LONG_VALUES: Final[Setting[bool]] = Setting(
    "TRUNCATE_LONG_VALUES",
    _BOOLEAN,
    True,
    "Whether values of params and tags that are too long are cut, with a warning; if false they are refused.",
)
ENABLE_SYSTEM_METRICS_LOGGING: Final[Setting[bool]] = Setting(
    "ENABLE_SYSTEM_METRICS_LOGGING",
    _BOOLEAN,
    False,
    "Whether runs record what the machine does: processor, memory, disk, network, GPUs.",
)
SYSTEM_METRICS_SAMPLING_INTERVAL: Final[Setting[float]] = Setting(
    "SYSTEM_METRICS_SAMPLING_INTERVAL",
    _number(0.001),
    10.0,
    "How often system metrics are looked at, in seconds.",
)
SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING: Final[Setting[int]] = Setting(
    "SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING",
    _integer(1),
    1,
    "How many looks at the system metrics make one point, their mean.",
)
ENABLE_ARTIFACTS_PROGRESS_BAR: Final[Setting[bool]] = Setting(
    "ENABLE_ARTIFACTS_PROGRESS_BAR",
    _BOOLEAN,
    True,
    "Whether long transfers of artifacts show a progress bar on a terminal, where tqdm is installed.",
)
S3_ENDPOINT_URL: Final[Setting[str | None]] = Setting(
    "S3_ENDPOINT_URL",
    _TEXT,
    None,
    "Where `s3://` is, if not at Amazon: the URL of a server that speaks its protocol.",
)
S3_IGNORE_TLS: Final[Setting[bool]] = Setting(
    "S3_IGNORE_TLS",
    _BOOLEAN,
    False,
    "If true, the certificate of the server behind `s3://` is not verified.",
)
SYSTEM_METRICS_NODE_ID: Final[Setting[str | None]] = Setting(
    "SYSTEM_METRICS_NODE_ID",
    _TEXT,
    None,
    "The name of this machine in the names of system metrics, where one run is spread over several.",
)
WEBHOOK_ALLOWED_SCHEMES: Final[Setting[tuple[str, ...]]] = Setting(
    "WEBHOOK_ALLOWED_SCHEMES",
    _words("https", "http"),
    ("https",),
    "What the address of a webhook may begin with. What goes over `http` can be read and changed on its way.",
)
WEBHOOK_ALLOW_PRIVATE_IPS: Final[Setting[bool]] = Setting(
    "WEBHOOK_ALLOW_PRIVATE_IPS",
    _BOOLEAN,
    False,
    "Whether webhooks may lead to addresses that are not public: this machine, private networks, a cloud's metadata. "
    "Only for development, or where all who may create webhooks may reach these anyway.",
)
WEBHOOK_REQUEST_TIMEOUT: Final[Setting[float]] = Setting(
    "WEBHOOK_REQUEST_TIMEOUT",
    _number(0.01, 3600),
    30.0,
    "How long one call of a webhook may take in all, in seconds.",
)
WEBHOOK_REQUEST_MAX_RETRIES: Final[Setting[int]] = Setting(
    "WEBHOOK_REQUEST_MAX_RETRIES",
    _integer(0),
    3,
    "How often a call of a webhook is tried again that failed for a reason that may pass.",
)
WEBHOOK_DELIVERY_MAX_WORKERS: Final[Setting[int]] = Setting(
    "WEBHOOK_DELIVERY_MAX_WORKERS",
    _integer(1),
    10,
    "How many webhooks a process calls at a time at most.",
)
WEBHOOK_FLUSH_TIMEOUT: Final[Setting[float]] = Setting(
    "WEBHOOK_FLUSH_TIMEOUT",
    _number(0),
    5.0,
    "How long a process that ends waits for webhooks to be called, in seconds. What is left then is delivered by the "
    "next process that changes the registry, or by `otflow webhooks deliver`.",
)
WEBHOOK_SECRET_ENCRYPTION_KEY: Final[Setting[str | None]] = Setting(
    "WEBHOOK_SECRET_ENCRYPTION_KEY",
    _TEXT,
    None,
    "The Fernet key (extra `webhooks`) that the secrets of webhooks are encrypted with in the database, the same for "
    "all processes that use it; without it they are stored as they are.",
)
WEBHOOK_CA_BUNDLE: Final[Setting[str | None]] = Setting(
    "WEBHOOK_CA_BUNDLE",
    _TEXT,
    None,
    "File or directory of the certificates that receivers of webhooks are verified by; by default those of the system "
    "and of certifi. `REQUESTS_CA_BUNDLE` is read last.",
    legacy="REQUESTS_CA_BUNDLE",
)

ENV_ROOT: Final[Setting[str | None]] = Setting(
    "ENV_ROOT",
    _TEXT,
    None,
    "The directory in which the environments of projects are kept; by default `otflow/envs` in the user's directory "
    "for caches.",
)
CONDA_HOME: Final[Setting[str | None]] = Setting(
    "CONDA_HOME",
    _TEXT,
    None,
    "Where conda is installed, for projects that need it; by default the `conda` that is found on the path.",
)
CONDA_CREATE_ENV_CMD: Final[Setting[str]] = Setting(
    "CONDA_CREATE_ENV_CMD",
    _TEXT,
    "conda",
    "The command that makes conda environments of projects, such as `mamba`.",
)
PROJECT_GIT_PROTOCOLS: Final[Setting[str]] = Setting(
    "PROJECT_GIT_PROTOCOLS",
    _TEXT,
    "file,git,http,https,ssh",
    "The transports by which git may fetch projects, separated by commas.",
)
KUBE_TRACKING_URI: Final[Setting[str | None]] = Setting(
    "KUBE_TRACKING_URI",
    _TEXT,
    None,
    "The tracking URI for projects that run on Kubernetes, where it is another one there. `KUBE_MLFLOW_TRACKING_URI` "
    "is read last.",
    legacy="KUBE_MLFLOW_TRACKING_URI",
)

SETTINGS: Final[tuple[Setting[Any], ...]] = tuple(
    cast("Setting[Any]", value) for value in list(globals().values()) if type(value) is Setting
)
"""The table above, in its order."""


def spool_directory() -> str:
    """Where spans wait for destinations that are away, unless `SPOOL_DIR` says so: with the user's caches."""
    home = os.path.expanduser("~")
    caches = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or os.path.join(home, ".cache")
    if not os.path.isabs(caches):  # no home: a service's account, a numeric user in a container
        import tempfile

        user = os.getuid() if hasattr(os, "getuid") else 0
        caches = os.path.join(tempfile.gettempdir(), f"cache-{user}")
    return os.path.join(caches, "otflow", "spool")


def in_lambda() -> bool:
    """Whether this process is an AWS Lambda function, which is frozen between two calls."""
    return bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))


def environment() -> dict[str, str]:
    """A copy of the environment."""
    return dict(os.environ)


def default_environment(variables: Mapping[str, str]) -> None:
    """Set variables of other libraries that are not set, for this process and the ones it starts."""
    for name, text in variables.items():
        os.environ.setdefault(name, text)
