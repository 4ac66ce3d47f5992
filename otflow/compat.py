"""`import mlflow` means otflow: for the code of others, which imports MLflow by its name.

The modules of MLflow's public layout become other names of the very modules of otflow, on import; a class that comes
by way of `mlflow.entities` is the same class that comes by way of `otflow.entities`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any, Final

from otflow import semconv
from otflow.errors import InvalidStateError

if TYPE_CHECKING:
    from contextvars import Token
    from importlib.metadata import Distribution, DistributionFinder

    from opentelemetry.context import Context

    from otflow.entities import LiveSpan

__all__ = ["install_as_mlflow", "uninstall_as_mlflow"]

_VERSION: Final = "3.10.1"
"""The release of MLflow whose API otflow has; what code that asks for MLflow's version is told."""

# MLflow's public modules that otflow has elsewhere. All others have the same place in both, or are missing.
_ELSEWHERE: Final = {
    "mlflow.entities.assessment_error": "otflow.entities.assessment",
    "mlflow.entities.experiment_tag": "otflow.entities.experiment",
    "mlflow.entities.lifecycle_stage": "otflow.entities.view_type",
    "mlflow.entities.trace_status": "otflow.entities.trace_state",
    "mlflow.tracing.assessment": "otflow.tracing.annotations",
    "mlflow.tracing.config": "otflow.tracing.provider",
    "mlflow.tracing.destination": "otflow.entities.trace_location",
    "mlflow.tracing.distributed": "otflow.tracing.propagation",
    "mlflow.tracing.fluent": "otflow",
    "mlflow.tracing.utils": "otflow.tracing.chat",
    "mlflow.tracking.client": "otflow.client",
    "mlflow.tracking.fluent": "otflow",
}

# The classes of `mlflow.tracing.constant`: the class of `otflow.semconv`, and its name for each name of MLflow's.
_CONSTANTS: Final[dict[str, tuple[type, str]]] = {
    "SpanAttributeKey": (
        semconv.SpanKey,
        (
            "REQUEST_ID=TRACE_ID EXPERIMENT_ID INPUTS OUTPUTS SPAN_TYPE=TYPE FUNCTION_NAME START_TIME_NS CHAT_TOOLS "
            "CHAT_USAGE LLM_COST MODEL=LLM_MODEL MODEL_PROVIDER=LLM_PROVIDER MESSAGE_FORMAT INTERMEDIATE_OUTPUTS "
            "LINKED_PROMPTS"
        ),
    ),
    "TokenUsageKey": (
        semconv.TokenUsageKey,
        (
            "INPUT_TOKENS=INPUT OUTPUT_TOKENS=OUTPUT TOTAL_TOKENS=TOTAL CACHE_READ_INPUT_TOKENS=CACHE_READ "
            "CACHE_CREATION_INPUT_TOKENS=CACHE_CREATION"
        ),
    ),
    "CostKey": (semconv.CostKey, "INPUT_COST=INPUT OUTPUT_COST=OUTPUT TOTAL_COST=TOTAL"),
    "TraceMetadataKey": (
        semconv.Metadata,
        (
            "INPUTS OUTPUTS SOURCE_RUN MODEL_ID SIZE_STATS TOKEN_USAGE COST TRACE_USER=USER TRACE_SESSION=SESSION "
            "SIZE_BYTES"
        ),
    ),
    "TraceTagKey": (semconv.Tag, "TRACE_NAME=NAME SPANS_LOCATION LINKED_PROMPTS"),
}


def _constants() -> dict[str, type]:
    made: dict[str, type] = {}
    for name, (keys, members) in _CONSTANTS.items():
        pairs = (member.partition("=") for member in members.split())
        values = {theirs: getattr(keys, ours or theirs) for theirs, _, ours in pairs}
        made[name] = type(name, (), {**values, "__module__": "mlflow.tracing.constant"})
    return made


# Those that are made here, with what is in them; where otflow comes to have one, that is the one.
_MADE: Final[dict[str, dict[str, Any]]] = {
    "mlflow.genai": {"__path__": []},
    "mlflow.tracing.constant": {
        **_constants(),
        "TRACE_REQUEST_ID_PREFIX": semconv.TRACE_ID_PREFIX,
        "TRACE_SCHEMA_VERSION": int(semconv.TRACE_SCHEMA_VERSION),
        "TRACE_SCHEMA_VERSION_KEY": semconv.Metadata.SCHEMA_VERSION,
    },
    "mlflow.version": {"VERSION": _VERSION},
}

# Names that MLflow has in a module which otflow has, too, and otflow has elsewhere: the module that has them.
_ADDED: Final[dict[str, dict[str, str]]] = {
    "mlflow": {"MlflowException": "otflow.exceptions"},
    "mlflow.entities.span": dict.fromkeys(("LiveSpan", "NoOpSpan", "SpanEvent", "SpanStatus"), "otflow.entities"),
    "mlflow.tracing.provider": dict.fromkeys(("detach_span_from_context", "set_span_in_context"), "otflow.compat"),
    "mlflow.tracking": dict.fromkeys(("get_tracking_uri", "is_tracking_uri_set", "set_tracking_uri"), "otflow"),
}

# Modules of otflow that have the name of a module of MLflow, or might come to, and mean another thing.
_OWN: Final = frozenset(
    {"__main__", "cli", "clock", "compat", "config", "context", "errors", "search", "semconv", "store", "wire"}
)

_NOTHING: Final = object()


def install_as_mlflow(force: bool = False) -> None:
    """Make `import mlflow` mean otflow in this process, also in the packages of others.

    Call it before anything imports MLflow. MLflow need not be installed, and is not touched where it is. Code that
    asks for its version is told 3.10.1, the release whose API otflow has; what otflow has not raises an
    `AttributeError` or a `ModuleNotFoundError` that says so. A second call does nothing. Processes that this one starts
    have to call it, too.

    Args:
        force: Also if MLflow itself has been imported. What has taken things out of it before keeps those.

    Raises:
        InvalidStateError: MLflow itself has been imported, and `force` is false.

    Example:
        >>> from otflow.compat import install_as_mlflow, uninstall_as_mlflow
        >>> install_as_mlflow()
        >>> import mlflow.entities, otflow.entities
        >>> mlflow.entities is otflow.entities
        True
        >>> uninstall_as_mlflow()
    """
    if _finder in sys.meta_path:
        return
    loaded = _loaded()
    if loaded and not force:
        where = getattr(sys.modules.get("mlflow"), "__file__", None) or "an unknown place"
        raise InvalidStateError(
            f"mlflow is already imported, from {where}: call install_as_mlflow() before anything imports it, "
            "or install_as_mlflow(force=True) to replace it for the imports to come"
        )
    for name in loaded:
        _finder.replaced[name] = sys.modules.pop(name)
    sys.meta_path.insert(0, _finder)


def uninstall_as_mlflow() -> None:
    """Undo `install_as_mlflow`: `import mlflow` means again what it meant before.

    What was imported meanwhile stays otflow's where it is kept.
    """
    if _finder not in sys.meta_path:
        return
    sys.meta_path.remove(_finder)
    for name in _loaded():
        del sys.modules[name]
    for module, name, value in _finder.bound:
        if module.__dict__.get(name) is value:
            delattr(module, name)
    _finder.bound.clear()
    sys.modules.update(_finder.replaced)
    _finder.replaced.clear()


def _loaded() -> list[str]:
    return [name for name in sys.modules if name == "mlflow" or name.startswith("mlflow.")]


def _missing(name: str) -> str:
    return f"otflow, which stands in for mlflow here, has no {name!r}"


def _home(name: str) -> str | None:
    """The module of otflow that is MLflow's module `name`; None where there is none."""
    if name.split(".")[1] in _OWN:
        return None
    home = f"otflow.{name.removeprefix('mlflow.')}"
    try:
        found = importlib.util.find_spec(home) is not None
    except ModuleNotFoundError:  # its parent is no package
        found = False
    return home if found else _ELSEWHERE.get(name)


class _Loader(Loader):
    """Makes a module of MLflow's out of those of otflow."""

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        del spec
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill in what is made here, or put otflow's own module in its place."""
        name = module.__name__
        if name == "mlflow":
            _make_top(module)
            return
        home = _home(name)
        made = module
        if home is not None:
            # The import system takes what is in sys.modules afterwards, and changes nothing about it.
            made = sys.modules[name] = importlib.import_module(home)
        else:
            vars(module).update(_MADE[name], __getattr__=_refusing(name))
            module.__file__ = __file__
        parent, _, child = name.rpartition(".")
        if child not in vars(sys.modules[parent]):
            _finder.bound.append((sys.modules[parent], child, made))
        for added, where in _ADDED.get(name, {}).items():
            if added not in vars(made):
                value = getattr(importlib.import_module(where), added)
                setattr(made, added, value)
                _finder.bound.append((made, added, value))


def _make_top(module: types.ModuleType) -> None:
    """`mlflow` itself: not otflow's own module, since the version is another."""
    otflow = importlib.import_module("otflow")

    def attribute(name: str) -> Any:
        if name in _ADDED["mlflow"]:
            return getattr(importlib.import_module(_ADDED["mlflow"][name]), name)
        if not name.startswith("_") and name not in _OWN:
            value = getattr(otflow, name, _NOTHING)
            if value is not _NOTHING and not isinstance(value, types.ModuleType):
                return value
            if f"mlflow.{name}" in _MADE or _home(f"mlflow.{name}") is not None:
                return importlib.import_module(f"mlflow.{name}")
        raise AttributeError(_missing(f"mlflow.{name}"), name=name, obj=module)

    vars(module).update(
        __doc__=otflow.__doc__,
        __file__=otflow.__file__,
        __version__=_VERSION,
        __all__=sorted({*otflow.__all__} - _OWN),
        __path__=[],
        __getattr__=attribute,
        __dir__=lambda: sorted({*vars(module), *module.__all__}),
    )


def _refusing(module: str) -> Any:
    def attribute(name: str) -> Any:
        raise AttributeError(_missing(f"{module}.{name}"), name=name)

    return attribute


def set_span_in_context(span: LiveSpan) -> Token[Context]:
    """Make a span of `start_span_no_context` current; what `mlflow.tracing.provider` has for callbacks.

    Args:
        span: The span.

    Returns:
        What `detach_span_from_context` takes.
    """
    from opentelemetry import context as otel_context

    from otflow.entities import LiveSpan
    from otflow.tracing.current import with_current

    before = otel_context.get_current()
    recorded = isinstance(span, LiveSpan)  # pyright: ignore[reportUnnecessaryIsInstance] - else a NoOpSpan
    return otel_context.attach(with_current(span.otel_span, before) if recorded else before)


def detach_span_from_context(token: Token[Context]) -> None:
    """Undo `set_span_in_context`.

    Args:
        token: What that returned.
    """
    from opentelemetry import context as otel_context

    otel_context.detach(token)


class _Finder:
    """What `sys.meta_path` holds while otflow stands in for MLflow.

    Attributes:
        replaced: The modules of MLflow itself that were imported before, to be put back.
        bound: Module, name and value, where an import of MLflow's layout added the name to otflow's module.
    """

    def __init__(self) -> None:
        self.replaced: dict[str, types.ModuleType] = {}
        self.bound: list[tuple[types.ModuleType, str, Any]] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """How to make MLflow's module of this name; see `importlib.abc.MetaPathFinder`."""
        del path, target
        if fullname != "mlflow" and not fullname.startswith("mlflow."):
            return None
        if fullname == "mlflow" or fullname in _MADE or _home(fullname) is not None:
            return ModuleSpec(fullname, _Loader(), is_package=fullname in {"mlflow", "mlflow.genai"})
        # Who only asks whether there is one (importlib.util.find_spec) is told no; an import is told why.
        asking = sys._getframe(2)  # pyright: ignore[reportPrivateUsage] - behind importlib's own
        if asking.f_globals.get("__name__") == "importlib.util":
            return None
        # Else the path of otflow's package would be searched next, and a second copy of its module be made.
        raise ModuleNotFoundError(_missing(fullname), name=fullname)

    def invalidate_caches(self) -> None:
        """Nothing is cached."""

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterator[Distribution]:
        """The metadata of MLflow's distributions, for those who ask for a version."""
        from importlib.metadata import Distribution

        class Standin(Distribution):
            def __init__(self, of: str) -> None:
                self.of = of

            def read_text(self, filename: str) -> str | None:
                if filename == "top_level.txt":
                    return "mlflow\n"
                if filename != "METADATA":
                    return None
                return f"Metadata-Version: 2.1\nName: {self.of}\nVersion: {_VERSION}\nSummary: otflow in its place\n"

            def locate_file(self, path: Any) -> Any:
                from pathlib import Path

                return Path(str(importlib.import_module("otflow").__file__)).parent / path

        wanted = context.name if context is not None else None
        for of in ("mlflow", "mlflow-skinny", "mlflow-tracing"):  # of which the first brings the others
            if wanted is None or wanted.lower().replace("_", "-") == of:
                yield Standin(of)


_finder: Final[Any] = _Finder()
