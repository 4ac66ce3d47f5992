"""`autolog`: finds the OpenTelemetry instrumentation of GenAI libraries that is installed, and enables it.

otflow has no instrumentation of its own. Packages that have some say so by entry points, of the group
`opentelemetry_instrumentor` (OpenTelemetry's, OpenLLMetry's and OpenInference's) or `openinference_instrumentor`. Where
several instrument the same library, one is chosen, or each call would be recorded twice; in this order:

1. OpenInference (`openinference-instrumentation-*`): records inputs and outputs in full, streams too;
2. OpenTelemetry's own (`opentelemetry-instrumentation-openai-v2` and the like);
3. any other (OpenLLMetry's `opentelemetry-instrumentation-openai` and the like), by name.

A library that was instrumented already, by whomever, is left as it is.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from otflow import config, otel_variables
from otflow.errors import InvalidParameterError
from otflow.tracing import filters, guard, logs, provider

__all__ = ["FLAVORS", "Autologged", "autolog", "autolog_flavor", "autologging"]

_logger = logging.getLogger("otflow")

_GROUPS = ("opentelemetry_instrumentor", "openinference_instrumentor")
_OPENINFERENCE = "openinference-instrumentation"

# -- the libraries -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Library:
    """A GenAI library.

    Args:
        flavor: Its name here, MLflow's where MLflow has one.
        modules: The modules that are there where it is installed.
        names: Further names of the entry points of its instrumentation.
        suggested: The distribution to install for instrumentation, where it is not `openinference-instrumentation-…`.
    """

    flavor: str
    modules: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    suggested: str = ""

    @property
    def distribution(self) -> str:
        """The distribution to install for instrumentation."""
        return self.suggested or f"{_OPENINFERENCE}-{(self.names or (self.flavor,))[0].replace('_', '-')}"


_TRACELOOP = "opentelemetry-instrumentation"
_LIBRARIES: Final = (
    _Library("ag2", ("ag2",)),
    _Library("agno", ("agno",)),
    _Library("aleph_alpha", ("aleph_alpha_client",), ("alephalpha",), f"{_TRACELOOP}-alephalpha"),
    _Library("anthropic", ("anthropic",)),
    _Library("autogen", ("autogen_agentchat", "autogen"), ("autogen_agentchat",)),
    _Library("bedrock", (), ("aws_bedrock",)),
    _Library("beeai", ("beeai_framework",)),
    _Library("chromadb", ("chromadb",), (), f"{_TRACELOOP}-chromadb"),
    _Library("claude_agent_sdk", ("claude_agent_sdk",)),
    _Library("cohere", ("cohere",), (), f"{_TRACELOOP}-cohere"),
    _Library("crewai", ("crewai",)),
    _Library("dspy", ("dspy",)),
    _Library("gemini", ("google.genai", "google.generativeai"), ("google_genai", "google_generativeai", "genai")),
    _Library("groq", ("groq",)),
    _Library("guardrails", ("guardrails",)),
    _Library("haystack", ("haystack",)),
    _Library("instructor", ("instructor",)),
    _Library("lancedb", ("lancedb",), (), f"{_TRACELOOP}-lancedb"),
    _Library("langchain", ("langchain_core",), ("langchain_v2", "langgraph")),
    _Library("litellm", ("litellm",)),
    _Library("llama_index", ("llama_index",), ("llama_index", "llamaindex")),
    _Library("marqo", ("marqo",), (), f"{_TRACELOOP}-marqo"),
    _Library("mcp", ("mcp",)),
    _Library("milvus", ("pymilvus",), (), f"{_TRACELOOP}-milvus"),
    _Library("mistral", ("mistralai",), ("mistralai",)),
    _Library("ollama", ("ollama",), (), f"{_TRACELOOP}-ollama"),
    _Library("openai", ("openai",), ("openai", "openai_v2")),
    _Library("openai_agents", ("agents",), ("openai_agents", "openai_agents_v2")),
    _Library("pinecone", ("pinecone",), (), f"{_TRACELOOP}-pinecone"),
    _Library("portkey", ("portkey_ai",)),
    _Library("pydantic_ai", ("pydantic_ai",)),
    _Library("qdrant", ("qdrant_client",), (), f"{_TRACELOOP}-qdrant"),
    _Library("replicate", ("replicate",), (), f"{_TRACELOOP}-replicate"),
    _Library("sagemaker", (), (), f"{_TRACELOOP}-sagemaker"),
    _Library("semantic_kernel", ()),
    _Library("smolagents", ("smolagents",)),
    _Library("strands", (), ("strands_agents",)),
    _Library("together", ("together",), (), f"{_TRACELOOP}-together"),
    _Library("transformers", (), (), f"{_TRACELOOP}-transformers"),
    _Library("vertexai", ("vertexai",)),
    _Library("voyageai", ("voyageai",), (), f"{_TRACELOOP}-voyageai"),
    _Library("watsonx", ("ibm_watsonx_ai",), (), f"{_TRACELOOP}-watsonx"),
    _Library("weaviate", ("weaviate",), (), f"{_TRACELOOP}-weaviate"),
    _Library("writer", ("writerai",), (), f"{_TRACELOOP}-writer"),
)
_FLAVOR_OF: Final = {name: library.flavor for library in _LIBRARIES for name in (library.flavor, *library.names)}

FLAVORS: Final = frozenset(library.flavor for library in _LIBRARIES)
"""The libraries that have an `otflow.<flavor>.autolog()`."""


# -- what instrumentation there is -----------------------------------------------------------------------


@dataclass(frozen=True)
class Autologged:
    """One library that `autolog` has enabled the instrumentation of.

    Attributes:
        flavor: The library, e.g. "openai".
        distribution: The package that instruments it, e.g. "openinference-instrumentation-openai".
        version: The version of that package.
    """

    flavor: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.flavor} ({self.distribution} {self.version})"


class _Instrumentation:
    """Something that can be enabled: what an entry point names."""

    def __init__(self, flavor: str, entry_point: importlib.metadata.EntryPoint) -> None:
        distribution: Any = entry_point.dist
        self._entry_point = entry_point
        self.what = Autologged(flavor, str(distribution.name).lower().replace("_", "-"), str(distribution.version))
        email = str(distribution.metadata.get("Author-email") or "")
        self.official = "cncf-opentelemetry" in email
        # In its newest generation OpenTelemetry's own instrumentation makes its spans in a package they share.
        self.scopes = (entry_point.module, "opentelemetry.util.genai") if self.official else (entry_point.module,)

    @property
    def order(self) -> tuple[int, str]:
        """Which comes first where several instrument one library."""
        rank = 0 if self.what.distribution.startswith(_OPENINFERENCE) else 1 if self.official else 2
        return rank, self.what.distribution

    @property
    def names(self) -> set[str]:
        """The names by which it can be excluded."""
        return {self.what.flavor, self._entry_point.name, self.what.distribution}

    def active(self) -> bool:
        """Whether somebody has enabled it already."""
        if self._entry_point.module not in sys.modules:
            return False
        return bool(getattr(self._instrumentor(), "is_instrumented_by_opentelemetry", False))

    def _instrumentor(self) -> Any:
        return self._entry_point.load()()  # a singleton

    def enable(self, providers: dict[str, Any]) -> bool:
        """Enable it; False where the library is not installed, or not in a version that it knows."""
        instrumentor = self._instrumentor()
        check: Callable[[], Any] | None = getattr(instrumentor, "_check_dependency_conflicts", None)
        if check is not None and check() is not None:
            return False
        instrumentor.instrument(**providers)
        return bool(getattr(instrumentor, "is_instrumented_by_opentelemetry", True))

    def disable(self) -> None:
        """Undo `enable`."""
        self._instrumentor().uninstrument()


class _PydanticAI:
    """pydantic-ai instruments itself, when it is told to."""

    scopes = ("pydantic-ai",)
    order = (0, "pydantic-ai-slim")
    names = frozenset({"pydantic_ai", "pydantic-ai", "pydantic-ai-slim"})

    def __init__(self) -> None:
        self.what = Autologged("pydantic_ai", "pydantic-ai-slim", _version("pydantic-ai-slim"))

    def active(self) -> bool:
        module: Any = sys.modules.get("pydantic_ai")
        return module is not None and bool(getattr(module.Agent, "_instrument_default", False))

    def enable(self, providers: dict[str, Any]) -> bool:
        module: Any = importlib.import_module("pydantic_ai")
        settings: Any = True
        if providers:
            settings = importlib.import_module("pydantic_ai.models.instrumented").InstrumentationSettings(**providers)
        module.Agent.instrument_all(settings)
        return True

    def disable(self) -> None:
        module: Any = importlib.import_module("pydantic_ai")
        module.Agent.instrument_all(False)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _found() -> dict[str, list[_Instrumentation | _PydanticAI]]:
    """The instrumentation that is installed, by library, the one to be preferred first."""
    found: dict[str, dict[str, _Instrumentation | _PydanticAI]] = {}
    for group in _GROUPS:
        for entry_point in importlib.metadata.entry_points(group=group):
            name = entry_point.name.lower().replace("-", "_")
            flavor = _FLAVOR_OF.get(name)
            if entry_point.dist is None or entry_point.value in found.get(flavor or name, ()):
                continue
            if flavor is None and not entry_point.dist.name.replace("_", "-").startswith(_OPENINFERENCE):
                continue  # of a web framework, a database client, …
            flavor = flavor or name
            found.setdefault(flavor, {})[entry_point.value] = _Instrumentation(flavor, entry_point)
    if _version("pydantic-ai-slim"):
        found.setdefault("pydantic_ai", {})["pydantic_ai"] = _PydanticAI()
    return {flavor: sorted(those.values(), key=lambda one: one.order) for flavor, those in sorted(found.items())}


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


# -- enabling --------------------------------------------------------------------------------------------

_enabled: dict[str, _Instrumentation | _PydanticAI] = {}
_lock = threading.RLock()


def autologging() -> list[Autologged]:
    """What `autolog` has enabled, by the name of the library.

    Example:
        >>> import otflow
        >>> otflow.autolog(silent=True)
        >>> for library in otflow.tracing.autologging():
        ...     print(library)  # e.g. openai (openinference-instrumentation-openai 0.1.66)
    """
    return [_enabled[flavor].what for flavor in sorted(_enabled)]


def autolog(
    log_input_examples: bool = False,
    log_model_signatures: bool = True,
    log_models: bool = True,
    log_datasets: bool = True,
    log_traces: bool = True,
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,
    silent: bool = False,
    extra_tags: dict[str, str] | None = None,
    exclude_flavors: list[str] | None = None,
) -> None:
    """Enable the instrumentation of GenAI libraries that is installed, so that calls of them are traced.

    One line on stderr (or, where the level of the logger `otflow` is INFO, in the log) says what was enabled and which
    libraries lack instrumentation; `otflow.tracing.autologging()` answers it too. Only packages for GenAI libraries are
    enabled, not those for web frameworks or databases. Calling it again enables what is new.

    Args:
        log_input_examples: Accepted for MLflow's sake, as are the next three, `exclusive`,
            `disable_for_unsupported_versions` and `extra_tags`: they change nothing here.
        log_model_signatures: See `log_input_examples`.
        log_models: See `log_input_examples`.
        log_datasets: See `log_input_examples`.
        log_traces: If false, nothing is enabled, and what was is disabled.
        disable: Disable what was enabled.
        exclusive: See `log_input_examples`.
        disable_for_unsupported_versions: See `log_input_examples`. Versions that instrumentation does not know are
            never instrumented.
        silent: Say nothing.
        extra_tags: See `log_input_examples`.
        exclude_flavors: What is not to be enabled: libraries ("openai", "langchain") or packages that instrument
            them ("openinference-instrumentation-openai"; then the next one is chosen).

    Raises:
        InvalidParameterError: `exclude_flavors` is not a list of names.
    """
    del log_input_examples, log_model_signatures, log_models, log_datasets
    del exclusive, disable_for_unsupported_versions, extra_tags
    excluded = _names(exclude_flavors)
    if disable or not log_traces:
        _disable(set(_enabled) - excluded)
        return
    _enable(None, excluded, silent)


def _names(exclude_flavors: Any) -> set[str]:
    if exclude_flavors is None:
        return set()
    if not isinstance(exclude_flavors, list | tuple | set | frozenset):
        raise InvalidParameterError(f"exclude_flavors must be a list of names, not {exclude_flavors!r}")
    names = cast("Iterable[Any]", exclude_flavors)
    for name in names:
        if not isinstance(name, str):
            raise InvalidParameterError(f"exclude_flavors must hold names such as 'openai', not {name!r}")
    return {str(name) for name in names}


def autolog_flavor(flavor: str, *, disable: bool = False, silent: bool = False, log_traces: bool = True) -> None:
    """Enable the instrumentation of one library; what `otflow.<flavor>.autolog` does.

    Args:
        flavor: The library, one of `FLAVORS`.
        disable: Disable it instead.
        silent: Say nothing.
        log_traces: If false, disable it.
    """
    if disable or not log_traces:
        _disable({flavor})
    else:
        _enable(flavor, set(), silent)


def _enable(only: str | None, excluded: set[str], silent: bool) -> None:
    with _lock:
        found = _found()
        _let_content_through()
        providers = _providers()
        new: list[Autologged] = []
        already: list[str] = []
        for flavor, candidates in found.items():
            if flavor in _enabled or flavor in excluded or (only is not None and flavor != only):
                continue
            if any(_is_active(candidate) for candidate in candidates):
                already.append(flavor)
                filters.admit_scopes(scope for one in candidates for scope in one.scopes)
                continue
            for candidate in candidates:
                if not candidate.names & excluded and _try(candidate, providers):
                    _enabled[flavor] = candidate
                    new.append(candidate.what)
                    break
    if not silent:
        _say(only, new, already, _bare(only, found, excluded))


def _is_active(candidate: _Instrumentation | _PydanticAI) -> bool:
    try:
        return candidate.active()
    except Exception as error:
        guard.swallow(f"ask whether {candidate.what.distribution} is enabled", error)
        return False


def _try(candidate: _Instrumentation | _PydanticAI, providers: dict[str, Any]) -> bool:
    try:
        if not candidate.enable(providers):
            return False
    except Exception as error:
        guard.swallow(f"enable {candidate.what.distribution}", error)
        return False
    filters.admit_scopes(candidate.scopes)
    return True


def _disable(flavors: Iterable[str]) -> None:
    with _lock:
        for flavor in flavors:
            enabled = _enabled.pop(flavor, None)
            if enabled is None:
                continue
            try:
                filters.dismiss_scopes(enabled.scopes[:1])
                enabled.disable()
            except Exception as error:
                guard.swallow(f"disable {enabled.what.distribution}", error)


def _providers() -> dict[str, Any]:
    """What instrumentation is told of providers: nothing where it is to use those registered with OpenTelemetry."""
    from opentelemetry import trace as trace_api

    own = provider.tracer_provider()
    if own is trace_api.get_tracer_provider():
        return {}
    found = {"tracer_provider": own, "logger_provider": logs.logger_provider()}
    return {name: value for name, value in found.items() if value is not None}


def _let_content_through() -> None:
    """Set the variables by which instrumentation is told to record content, or not to, where they are not set."""
    setting: Any = getattr(config, "CAPTURE_CONTENT", None)
    if setting is not None and not guard.setting(setting):
        config.default_environment(
            {
                "TRACELOOP_TRACE_CONTENT": "false",
                "OPENINFERENCE_HIDE_INPUTS": "true",
                "OPENINFERENCE_HIDE_OUTPUTS": "true",
            }
        )
        return
    config.default_environment(
        {
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": _content_mode(),
            "TRACELOOP_TRACE_CONTENT": "true",
        }
    )


def _content_mode() -> str:
    """The word for "record content", which is another one in newer generations of OpenTelemetry's instrumentation."""
    major = _version("opentelemetry-util-genai").partition(".")[0]
    newer = otel_variables.wants_latest_genai() or (major.isdigit() and int(major) >= 1)
    return "SPAN_ONLY" if newer else "true"


# -- saying it ---------------------------------------------------------------------------------------------


def _bare(only: str | None, found: dict[str, Any], excluded: set[str]) -> list[_Library]:
    """The libraries that are installed without anything that instruments them."""
    return [
        library
        for library in _LIBRARIES
        if library.flavor not in found
        and library.flavor not in excluded
        and (only is None or library.flavor == only)
        and any(_is_installed(module) for module in library.modules)
    ]


def _say(only: str | None, new: Sequence[Autologged], already: Sequence[str], bare: Sequence[_Library]) -> None:
    parts: list[str] = []
    if new:
        parts.append(f"enabled {', '.join(map(str, new))}")
    if already:
        parts.append(f"already instrumented: {', '.join(already)}")
    if bare:
        parts.append(
            "not instrumented: "
            + ", ".join(f"{library.flavor} (pip install {library.distribution})" for library in bare)
        )
    if not parts:
        if only is not None and only in _enabled:
            parts.append(f"{only} is enabled already")
        elif only is None and _enabled:
            parts.append("nothing new to enable")
        else:
            parts.append(f"found no instrumentation for {only or 'any GenAI library'} that fits what is installed")
    text = f"autolog: {'; '.join(parts)}."
    if _logger.isEnabledFor(logging.INFO):
        _logger.info("%s", text)
    else:
        sys.stderr.write(f"otflow {text}\n")
