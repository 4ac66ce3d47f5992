"""The only global state of otflow: which store, experiment, run and destination are current.

OpenTelemetry's context carries the spans; this module carries everything else. What belongs to a
flow of control (a run, a destination) is a `ContextVar`; what belongs to the process is a field of
one private object, and `reset()` forgets both.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import threading
from collections.abc import Generator
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from otflow import config
from otflow.errors import InvalidParameterError
from otflow.store.opening import normalize_uri, open_store

if TYPE_CHECKING:
    from otflow.entities import TraceLocationBase
    from otflow.store.interface import Store

__all__ = [
    "active_model_id",
    "active_run_id",
    "after_fork_in_child",
    "after_fork_in_parent",
    "before_fork",
    "chosen_experiment_id",
    "close_store",
    "destination",
    "experiment_id",
    "get_tracking_uri",
    "is_tracking_uri_set",
    "open_stores",
    "reset",
    "set_destination",
    "set_experiment_id",
    "set_model_id",
    "set_run_id",
    "set_tracking_uri",
    "store",
    "temporary",
]

DEFAULT_EXPERIMENT_ID = "0"
"""The experiment that always exists; its name is `Default`."""


class _Process:
    """What belongs to the process as a whole."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tracking_uri: str | None = None
        self.experiment_id: str | None = None
        self.destination: TraceLocationBase | None = None
        self.stores: dict[str, Store] = {}
        self.named_experiments: dict[tuple[str, str], str] = {}
        self.environment: dict[config.Setting[Any], str | None] = {}
        """What the variables that `_export` changed were before."""


_process = _Process()
_run_id: ContextVar[str | None] = ContextVar("otflow_run_id", default=None)
_model_id: ContextVar[str | None] = ContextVar("otflow_model_id", default=None)
_destination: ContextVar[TraceLocationBase | None] = ContextVar("otflow_destination", default=None)


# -- the store -------------------------------------------------------------------------------------


def set_tracking_uri(uri: str | pathlib.Path) -> None:
    """Make `uri` the store of what follows; see `otflow.set_tracking_uri`."""
    if isinstance(uri, pathlib.Path):
        uri = uri.absolute().as_uri()
    if not isinstance(uri, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"a tracking URI is a string or a pathlib.Path, not {type(uri).__name__}: {uri!r}")
    normalize_uri(uri)  # refuses what no store is known for, before anything changes
    if uri != _process.tracking_uri:
        _process.tracking_uri = uri
        set_experiment_id(None)  # ids mean nothing in another store
    _export(config.TRACKING_URI, uri)


def is_tracking_uri_set() -> bool:
    """Whether a tracking URI was set, by `set_tracking_uri` or by the environment."""
    return _process.tracking_uri is not None or bool(config.TRACKING_URI.get())


def get_tracking_uri() -> str:
    """The current tracking URI, as it was given; the embedded default where none was."""
    uri = _process.tracking_uri
    if uri is None:
        uri = config.TRACKING_URI.get()
    return uri if uri is not None else f"sqlite:///{os.getcwd()}/otflow.db"


def store(uri: str | None = None) -> Store:
    """The current store, or the one at `uri`; opened on first use and kept open."""
    key = normalize_uri(get_tracking_uri() if uri is None else uri)
    found = _process.stores.get(key)
    if found is None:
        with _process.lock:
            found = _process.stores.get(key)
            if found is None:
                found = _process.stores[key] = open_store(key)
    return found


@contextlib.contextmanager
def temporary(uri: str) -> Generator[None]:
    """Make `uri` the store, and its default experiment the active one, inside of a `with` statement."""
    before = _process.tracking_uri, _process.experiment_id
    _process.tracking_uri, _process.experiment_id = uri, DEFAULT_EXPERIMENT_ID
    try:
        yield
    finally:
        _process.tracking_uri, _process.experiment_id = before


def open_stores() -> list[Store]:
    """The stores that are open in this process."""
    return list(_process.stores.values())


def close_store(uri: str) -> None:
    """Close the store at `uri`, if it is open."""
    with _process.lock:
        found = _process.stores.pop(normalize_uri(uri), None)
    if found is not None:
        found.close()


def _export(setting: config.Setting[Any], text: str | None) -> None:
    """Say it to the processes that this one starts, as MLflow does."""
    _process.environment.setdefault(setting, setting.exported())
    setting.export(text)


# -- where traces go -------------------------------------------------------------------------------


def set_experiment_id(experiment_id: str | None) -> None:
    """Make an experiment the active one."""
    _process.experiment_id = experiment_id
    _export(config.EXPERIMENT_ID, experiment_id)


def experiment_id() -> str:
    """The id of the experiment that is active: set, named by the environment, or the default.

    Resolving a name from the environment asks the store, once; it is made where it does not exist.
    """
    return _process.experiment_id or default_experiment_id(get_tracking_uri())


def default_experiment_id(uri: str) -> str:
    """The id of the experiment at `uri` where none was set: named by the environment, or the default."""
    named = config.EXPERIMENT_ID.get()
    if named:
        return named
    name = config.EXPERIMENT_NAME.get()
    if not name:
        return DEFAULT_EXPERIMENT_ID
    known = _process.named_experiments.get((uri, name))
    if known is None:
        current = store(uri)
        found = current.get_experiment_by_name(name)
        known = found.experiment_id if found is not None else current.create_experiment(name)
        _process.named_experiments[uri, name] = known
    return known


def chosen_experiment_id() -> str | None:
    """The id of the experiment that was set; None where `default_experiment_id` is to be asked, perhaps later."""
    return _process.experiment_id


def set_destination(destination: TraceLocationBase | None, *, context_local: bool = False) -> None:
    """Send traces to a place of their own instead of the active experiment."""
    if context_local:
        _destination.set(destination)
    else:
        _process.destination = destination


def destination() -> TraceLocationBase | None:
    """Where traces go if not to the active experiment."""
    return _destination.get() or _process.destination


def active_run_id() -> str | None:
    """The run that is active in this flow of control."""
    return _run_id.get()


def set_run_id(run_id: str | None) -> Token[str | None]:
    """Make a run the active one in this flow of control."""
    return _run_id.set(run_id)


def active_model_id() -> str | None:
    """The logged model that is active in this flow of control; one that the environment names is not."""
    return _model_id.get()


def set_model_id(model_id: str | None) -> Token[str | None]:
    """Make a logged model the active one in this flow of control."""
    return _model_id.set(model_id)


# -- life and death --------------------------------------------------------------------------------


def reset() -> None:
    """Forget everything, and close the stores that were opened."""
    with _process.lock:
        stores = list(_process.stores.values())
        for setting, text in _process.environment.items():
            setting.export(text)
        _process.__init__()
    _run_id.set(None)
    _model_id.set(None)
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
