"""The only global state of otflow: which store, experiment, run and destination are current.

OpenTelemetry's context carries the spans; this module carries everything else. What belongs to a
flow of control (a run, a model, a destination) is a `Current` or a `ContextVar`; what belongs to the process is a
field of one private object, and `reset()` forgets both.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import pathlib
import sys
import threading
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from otflow import config
from otflow.errors import AlreadyExistsError, InvalidParameterError
from otflow.store.opening import in_workspace, is_absolute, normalize_uri, open_store, split_workspace
from otflow.store.workspace_names import check_workspace_name
from otflow.store.workspaces import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from otflow.entities import TraceLocationBase
    from otflow.store.interface import Store

__all__ = [
    "Current",
    "Scope",
    "active_model_id",
    "active_run",
    "active_run_id",
    "after_fork_in_child",
    "after_fork_in_parent",
    "at_reset",
    "before_fork",
    "chosen_experiment_id",
    "close_store",
    "destination",
    "experiment_id",
    "forget_workspace",
    "get_registry_uri",
    "get_tracking_uri",
    "is_tracking_uri_set",
    "model",
    "open_runs",
    "open_stores",
    "place",
    "reset",
    "run_of_trace",
    "runs",
    "set_destination",
    "set_experiment_id",
    "set_registry_uri",
    "set_tracking_uri",
    "set_workspace",
    "store",
    "temporary",
    "workspace",
]

T = TypeVar("T")

DEFAULT_EXPERIMENT_ID = "0"
"""The experiment that always exists, in the workspace `default`."""
DEFAULT_EXPERIMENT_NAME = "Default"


class Current(Generic[T]):
    """What is current in a flow of control: in a task and what it starts, or in a thread.

    A `ContextVar`, so that concurrent tasks do not see each other's. What is set outside of a task belongs to the
    thread too: a notebook runs each of its cells in a context of its own, and what one cell sets is there in the next.

    Args:
        name: The name of the variable.
        default: What is current where nothing was set.
        by_task: Whether what is set in a task is the task's alone; else it is the thread's too.
    """

    _order = itertools.count(1)
    _all: ClassVar[list[Current[Any]]] = []

    def __init__(self, name: str, default: T, *, by_task: bool = True) -> None:
        self._all.append(self)
        self._by_task = by_task
        self._unset = (0, default)
        self._flow: ContextVar[tuple[int, T]] = ContextVar(name, default=self._unset)
        self._thread = threading.local()

    def get(self) -> T:
        """What was set last, in this flow of control or in this thread."""
        in_flow = self._flow.get()
        in_thread: tuple[int, T] = getattr(self._thread, "value", self._unset)
        return (in_flow if in_flow[0] >= in_thread[0] else in_thread)[1]

    def set(self, value: T) -> None:
        """Make something current from here on."""
        stamped = (next(self._order), value)
        self._flow.set(stamped)
        if not (self._by_task and _in_task()):
            self._thread.value = stamped

    @classmethod
    def reset_all(cls) -> None:
        """Forget everything that was set here, and in all threads."""
        for current in cls._all:
            current.reset()

    def reset(self) -> None:
        """Forget what was set here, and in all threads."""
        self._flow.set(self._unset)
        self._thread = threading.local()


def _in_task() -> bool:
    """Whether a task runs that is not a cell of a notebook."""
    asyncio = sys.modules.get("asyncio")
    try:
        if asyncio is None or asyncio.current_task() is None:
            return False
    except RuntimeError:  # no event loop runs in this thread
        return False
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is None


@dataclass(slots=True)
class Scope:
    """A run or a model that was made active.

    Attributes:
        id: Its id.
        uri: The store that it is in.
        ended: Whether it is over: seen by all flows of control that took it over.
        experiment_id: The experiment that it is in, where that is known.
        outermost: Of a run, the id of the outermost one that it was started in; its own where that is none.
        thread: Of a run, the thread that has started it.
    """

    id: str
    uri: str
    ended: bool = False
    experiment_id: str | None = None
    outermost: str | None = None
    thread: threading.Thread | None = None


class _Process:
    """What belongs to the process as a whole."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tracking_uri: str | None = None
        self.registry_uri: str | None = None
        self.experiments: dict[str, str] = {}
        """The experiments that were made active, by place."""
        self.destination: TraceLocationBase | None = None
        self.workspace: str | None = None
        self.workspace_was_set = False
        """Whether a workspace was set in any flow of control."""
        self.place: tuple[str, str, str] = ("", "", "")
        """The tracking URI and the workspace that were asked for last, and what they are together."""
        self.stores: dict[str, Store] = {}
        self.views: dict[str, Store] = {}
        """Workspaces of these stores, by place; they share what the stores have open."""
        self.found: dict[str, Store] = {}
        """All of these, by the URIs that they were asked for by, as far as these are absolute."""
        self.named_experiments: dict[tuple[str, str], str] = {}
        self.environment: dict[config.Setting[Any], str | None] = {}
        """What the variables that `_export` changed were before."""


_process = _Process()
runs: Current[tuple[Scope, ...]] = Current("otflow_runs", ())
"""The runs that were started here, the innermost last; those that ended since are still among them."""
_memories: list[Callable[[], None]] = []
open_runs: dict[int, Scope] = {}
"""The runs that are active anywhere in this process, by the identity of their scopes, in the order of their starts."""
model: Current[Scope | None] = Current("otflow_model", None)
"""The logged model that was made active here."""
_workspace: Current[str | None] = Current("otflow_workspace", None)
_destination: ContextVar[TraceLocationBase | None] = ContextVar("otflow_destination", default=None)


# -- the store -------------------------------------------------------------------------------------


def set_tracking_uri(uri: str | pathlib.Path | None) -> None:
    """Make `uri` the store of what follows, and no experiment the active one where it was another.

    Args:
        uri: `sqlite:///file.db`, `postgresql://…`, `http(s)://…`, or a directory, as a string or a path. None gives up
            what was set: the environment says it again, else it is the embedded default.
    """
    if isinstance(uri, pathlib.Path):
        uri = uri.absolute().as_uri()
    if uri is not None and not isinstance(uri, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"a tracking URI is a string or a pathlib.Path, not {type(uri).__name__}: {uri!r}")
    if uri is not None:
        normalize_uri(uri)  # refuses what no store is known for, before anything changes
    if uri != _process.tracking_uri:
        _process.tracking_uri = uri
        _process.experiments.clear()  # ids mean nothing in another store
        _export(config.EXPERIMENT_ID, None)
    _export(config.TRACKING_URI, _process.environment.get(config.TRACKING_URI) if uri is None else uri)


def is_tracking_uri_set() -> bool:
    """Whether a tracking URI was set, by `set_tracking_uri` or by the environment."""
    return _process.tracking_uri is not None or bool(config.TRACKING_URI.get())


def get_tracking_uri() -> str:
    """The current tracking URI, as it was given; the embedded default where none was."""
    uri = _process.tracking_uri
    if uri is None:
        uri = config.TRACKING_URI.get()
    return uri if uri is not None else f"sqlite:///{os.getcwd()}/otflow.db"


def set_registry_uri(uri: str | pathlib.Path | None) -> None:
    """Make `uri` the store of registered models and prompts.

    Args:
        uri: A tracking URI; an empty text or None for the tracking store itself.

    Raises:
        InvalidParameterError: No store is known for it.
    """
    if isinstance(uri, pathlib.Path):
        uri = uri.absolute().as_uri()
    if uri is not None and not isinstance(uri, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"a registry URI is a string or a pathlib.Path, not {type(uri).__name__}: {uri!r}")
    if uri:
        normalize_uri(uri)  # refuses what no store is known for, before anything changes
    _process.registry_uri = uri or None
    _export(config.REGISTRY_URI, uri or None)


def get_registry_uri() -> str:
    """The store of registered models and prompts: the tracking URI where none was set."""
    return _process.registry_uri or config.REGISTRY_URI.get() or get_tracking_uri()


# -- the workspace ---------------------------------------------------------------------------------


def set_workspace(workspace: str | None) -> None:
    """Make a workspace the active one: what follows is made and found in it.

    In an asyncio task, and in a thread that is not the main one, it is active there only; elsewhere in the whole
    process where nothing else was set, and in processes that this one starts. Each workspace has an active experiment
    of its own. A run that is active stays in its workspace.

    Args:
        workspace: Its name; None gives up what was set.

    Raises:
        InvalidParameterError: no workspace can have this name. Whether there is one is found out when it is used.

    Example:
        >>> import otflow
        >>> created = otflow.create_workspace("team-red")
        >>> otflow.set_workspace("team-red")
        >>> otflow.search_experiments()
        []
        >>> otflow.set_workspace(None)
    """
    name = None if workspace is None else check_workspace_name(workspace)
    _process.workspace_was_set = True
    _workspace.set(name)
    if threading.current_thread() is threading.main_thread() and not _in_task():
        _process.workspace = name
        _export(config.WORKSPACE, name or _process.environment.get(config.WORKSPACE))
        _export(config.EXPERIMENT_ID, chosen_experiment_id())


def forget_workspace(uri: str, name: str) -> None:
    """Forget what is remembered of a workspace that was deleted: there may be another one of this name.

    Args:
        uri: The store that it was in.
        name: Its name.
    """
    gone = normalize_uri(in_workspace(uri, name))
    for where in [where for where in _process.experiments if normalize_uri(where) == gone]:
        if _process.experiments.pop(where) == config.EXPERIMENT_ID.exported() and name == _workspace_of_process():
            _export(config.EXPERIMENT_ID, None)
    for key in [key for key in _process.named_experiments if normalize_uri(key[0]) == gone]:
        del _process.named_experiments[key]
    with _process.lock:
        _process.views.pop(gone, None)
        _process.found.clear()
    for forget in _memories:
        forget()


def workspace() -> str:
    """The name of the active workspace."""
    # Asked for each trace, and few programs set one.
    return (_process.workspace_was_set and _workspace.get()) or _workspace_of_process()


def _workspace_of_process() -> str:
    """The workspace that is active where none was set, and in processes that this one starts."""
    return _process.workspace or _named_workspace(config.WORKSPACE.get())


@functools.lru_cache(maxsize=8)
def _named_workspace(text: str | None) -> str:
    return check_workspace_name(text) if text else DEFAULT_WORKSPACE


def place(uri: str | None = None) -> str:
    """The current place, or the one that a tracking URI means here: with its workspace, the active one by default."""
    if uri is None:
        uri = get_tracking_uri()
    name = workspace()
    last = _process.place
    if last[0] == uri and last[1] == name:
        return last[2]
    found = uri if split_workspace(uri)[1] is not None else in_workspace(uri, name)
    _process.place = (uri, name, found)
    return found


# -- stores that are open --------------------------------------------------------------------------


def store(uri: str | None = None) -> Store:
    """The store at the current place, or the one at `uri`; opened on first use and kept open."""
    where = place() if uri is None else uri
    found = _process.found.get(where)
    if found is not None:
        return found
    key = normalize_uri(where)
    with _process.lock:
        base, name = split_workspace(key)
        found = _process.stores.get(key) or _process.views.get(key)
        if found is None:
            if name is None:
                found = _process.stores[key] = open_store(key)
            else:
                found = _process.views[key] = store(base).in_workspace(name)
        if is_absolute(where):
            _process.found[where] = found
    return found


@contextlib.contextmanager
def temporary(uri: str) -> Generator[None]:
    """Make `uri` the store, and its default experiment the active one, inside of a `with` statement."""
    here = in_workspace(uri, DEFAULT_WORKSPACE)
    before = _process.tracking_uri, _process.experiments
    _process.tracking_uri, _process.experiments = here, {here: DEFAULT_EXPERIMENT_ID}
    try:
        yield
    finally:
        _process.tracking_uri, _process.experiments = before


def open_stores() -> list[Store]:
    """The stores that are open in this process, each once, whichever workspaces of them are in use."""
    return list(_process.stores.values())


def close_store(uri: str) -> None:
    """Close the store at `uri` with all its workspaces, if it is open."""
    key = split_workspace(normalize_uri(uri))[0]
    with _process.lock:
        found = _process.stores.pop(key, None)
        for view in [view for view in _process.views if split_workspace(view)[0] == key]:
            del _process.views[view]
        _process.found.clear()
    if found is not None:
        found.close()


def _export(setting: config.Setting[Any], text: str | None) -> None:
    """Say it to the processes that this one starts, as MLflow does."""
    _process.environment.setdefault(setting, setting.exported())
    setting.export(text)


# -- where traces go -------------------------------------------------------------------------------


def set_experiment_id(experiment_id: str | None) -> None:
    """Make an experiment the active one of the current place."""
    here = place()
    if experiment_id is None:
        _process.experiments.pop(here, None)
    else:
        _process.experiments[here] = experiment_id
    if workspace() == _workspace_of_process():
        _export(config.EXPERIMENT_ID, experiment_id)


def experiment_id() -> str:
    """The id of the experiment that is active: set, named by the environment, or the default.

    Resolving a name from the environment asks the store, once; it is made where it does not exist.
    """
    here = place()
    return _process.experiments.get(here) or default_experiment_id(here)


def default_experiment_id(uri: str) -> str:
    """The id of the experiment at a place where none was set: named by the environment, or the default."""
    where = split_workspace(uri)[1] or DEFAULT_WORKSPACE
    named = config.EXPERIMENT_ID.get()
    if named and where == _workspace_of_process():
        return named
    name = config.EXPERIMENT_NAME.get()
    if not name:
        if where == DEFAULT_WORKSPACE:
            return DEFAULT_EXPERIMENT_ID
        name = DEFAULT_EXPERIMENT_NAME  # other workspaces have one of this name once it is needed
    known = _process.named_experiments.get((uri, name))
    if known is None:
        known = _process.named_experiments[uri, name] = _experiment_named(store(uri), name)
    return known


def _experiment_named(where: Store, name: str) -> str:
    """The id of the experiment of this name, which is made where there is none."""
    found = where.get_experiment_by_name(name)
    if found is None:
        try:
            return where.create_experiment(name)
        except AlreadyExistsError:  # another process was quicker
            found = where.get_experiment_by_name(name)
            if found is None:
                raise
    return found.experiment_id


def chosen_experiment_id(where: str | None = None) -> str | None:
    """The id of the experiment that was set; None where `default_experiment_id` is to be asked, perhaps later.

    Args:
        where: The place; the current one by default.
    """
    return _process.experiments.get(place() if where is None else where)


def set_destination(destination: TraceLocationBase | None, *, context_local: bool = False) -> None:
    """Send traces to a place of their own instead of the active experiment."""
    if context_local:
        _destination.set(destination)
    else:
        _process.destination = destination


def destination() -> TraceLocationBase | None:
    """Where traces go if not to the active experiment."""
    return _destination.get() or _process.destination


def active_run(uri: str | None = None) -> Scope | None:
    """The run that is active in this flow of control; with `uri`, if it is in that store."""
    for scope in reversed(runs.get()):
        if not scope.ended:
            return scope if uri is None or scope.uri == uri else None
    return None


def run_of_trace(uri: str) -> Scope | None:
    """The run that a trace which begins here, in the store at `uri`, belongs to: the active one.

    A thread starts with none. A trace there is of the innermost run of the other thread that has one, as in MLflow,
    unless several have: whose helper this thread is cannot be known then.
    """
    if not open_runs:
        return None
    if active_run() is not None:
        return active_run(uri)
    here = threading.current_thread()
    found: Scope | None = None
    for scope in list(open_runs.values()):
        if scope.thread is None or scope.thread is here or not scope.thread.is_alive():
            continue
        if found is not None and found.outermost != scope.outermost:
            return None
        found = scope
    return found if found is not None and found.uri == uri else None


def active_run_id(uri: str | None = None) -> str | None:
    """The id of the run that is active in this flow of control; see `active_run`."""
    scope = active_run(uri)
    return None if scope is None else scope.id


def active_model_id(uri: str | None = None) -> str | None:
    """The logged model that is active in this flow of control; one that the environment names is not.

    Args:
        uri: If given, only one in that store counts.
    """
    scope = model.get()
    return None if scope is None or scope.ended or (uri is not None and scope.uri != uri) else scope.id


# -- life and death --------------------------------------------------------------------------------


def at_reset(forget: Callable[[], None]) -> None:
    """Let `reset` call this too, and `forget_workspace`: for what a module remembers of stores."""
    _memories.append(forget)


def reset() -> None:
    """Forget everything, and close the stores that were opened."""
    for forget in _memories:
        forget()
    with _process.lock:
        stores = list(_process.stores.values())
        for setting, text in _process.environment.items():
            setting.export(text)
        _process.__init__()
    Current.reset_all()
    open_runs.clear()
    _destination.set(None)
    for opened in stores:
        opened.close()


def before_fork() -> None:
    """Bring the stores to rest."""
    _process.lock.acquire()
    for opened in _process.stores.values():
        opened.before_fork()


def after_fork_in_parent() -> None:
    """Let the stores go on."""
    for opened in _process.stores.values():
        opened.after_fork_in_parent()
    _process.lock.release()


def after_fork_in_child() -> None:
    """Make the stores of the parent usable in the child."""
    _process.lock = threading.RLock()
    for opened in _process.stores.values():
        opened.after_fork_in_child()
