"""Which store and which experiments a command is about."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otflow.cli.output import hide
from otflow.errors import InvalidParameterError, InvalidStateError, NotFoundError

if TYPE_CHECKING:
    from otflow.entities import Experiment
    from otflow.store.interface import Store

__all__ = ["experiment_ids", "find_experiment", "named_experiment", "opened", "store_uri"]


def store_uri(given: str | None, other: str | None = None) -> str:
    """The URI of the store that is meant.

    Raises:
        InvalidParameterError: Two different ones are given.
    """
    from otflow import context

    if given is not None and other is not None and given != other:
        raise InvalidParameterError("the database is given twice, as an argument and by --store")
    if given is not None or other is not None:
        return str(given if given is not None else other)
    uri = context.get_tracking_uri()
    hide([uri])
    return uri


@contextmanager
def opened(uri: str, *, create: bool = False) -> Generator[Store, None, None]:
    """Open the store, and close it at the end.

    Raises:
        InvalidParameterError: It is a file that is not there, and is not to be made.
    """
    import os

    from otflow.store.opening import normalize_uri, open_store

    uri = normalize_uri(uri)
    if not create and uri.startswith("sqlite:///"):
        path = uri.removeprefix("sqlite:///").partition("?")[0]
        if not os.path.exists(path):
            raise InvalidParameterError(f"there is no database at {uri}; say which one is meant by --store")
    store = open_store(uri)
    try:
        yield store
    finally:
        store.close()


def experiment_ids(store: Store, names: Sequence[str] | None) -> list[str]:
    """The ids of the experiments that are named; without names that of the settings, else all that are active.

    Raises:
        NotFoundError: There is no such experiment.
    """
    names = names or named_experiment()
    if names:
        return [_existing(store, name).experiment_id for name in names]
    found: list[str] = []
    token: str | None = None
    while True:
        page = store.search_experiments(page_token=token)
        found += [experiment.experiment_id for experiment in page]
        token = page.token
        if not token:
            return found


def named_experiment() -> list[str]:
    """The experiment that the settings name, if they do."""
    from otflow import config

    name = config.EXPERIMENT_ID.get() or config.EXPERIMENT_NAME.get()
    return [name] if name else []


def find_experiment(store: Store, name: str) -> Experiment | None:
    """The experiment with this id or this name."""
    if name.isdecimal():
        try:
            return store.get_experiment(name)
        except NotFoundError:
            pass  # then it is a name
    found = store.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage != "active":
        raise InvalidStateError(f"the experiment {name!r} is deleted")
    return found


def _existing(store: Store, name: str) -> Experiment:
    found = find_experiment(store, name)
    if found is None:
        some = [repr(experiment.name) for experiment in store.search_experiments(max_results=10)]
        raise NotFoundError(
            f"there is no experiment {name!r} in {store.uri}; there are, for example: {', '.join(some)}"
        )
    return found
