"""Experiments: the places that traces and runs live in."""

from __future__ import annotations

import logging
from typing import Any

from otflow import context
from otflow.client import Client
from otflow.entities import Experiment, ViewType
from otflow.errors import AlreadyExistsError, InvalidParameterError, InvalidStateError
from otflow.tracing.search import all_pages

__all__ = [
    "create_experiment",
    "delete_experiment",
    "delete_experiment_tag",
    "get_experiment",
    "get_experiment_by_name",
    "search_experiments",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
]

_logger = logging.getLogger("otflow")


def set_experiment(experiment_name: str | None = None, experiment_id: str | None = None) -> Experiment:
    """Make an experiment the active one: new traces and runs go there.

    Args:
        experiment_name: The experiment's name; one that does not exist is created.
        experiment_id: The experiment's id; it must exist. Give either the name or the id.

    Returns:
        The experiment that is active now.

    Raises:
        InvalidParameterError: both, or neither.
        NotFoundError: no experiment has this id.
        InvalidStateError: the experiment is deleted.

    Example:
        >>> import otflow
        >>> otflow.set_experiment("support-agent").name
        'support-agent'
    """
    if (experiment_name is None) == (experiment_id is None):
        raise InvalidParameterError(
            f"give either experiment_name or experiment_id, not both or neither: "
            f"experiment_name={experiment_name!r}, experiment_id={experiment_id!r}"
        )
    client = Client()
    if experiment_name is not None:
        experiment = _by_name_or_new(client, experiment_name)
    else:
        experiment = client.get_experiment(str(experiment_id))
    if experiment.lifecycle_stage != "active":
        raise InvalidStateError(
            f"experiment {experiment.name!r} (id {experiment.experiment_id}) is deleted; restore it, "
            f"or choose another name",
            "INVALID_PARAMETER_VALUE",
        )
    context.set_experiment_id(experiment.experiment_id)
    return experiment


def _by_name_or_new(client: Client, name: str) -> Experiment:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found
    try:
        _logger.info("Experiment %r does not exist yet; it is created.", name)
        return client.get_experiment(client.create_experiment(name))
    except AlreadyExistsError:  # another process was quicker
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return found


def create_experiment(name: str, artifact_location: str | None = None, tags: dict[str, Any] | None = None) -> str:
    """Create an experiment.

    Args:
        name: A name of its own.
        artifact_location: Where its artifacts are kept; by default beside the store.
        tags: Tags to set.

    Returns:
        The id of the experiment.

    Raises:
        InvalidParameterError: a name that is not allowed.
        AlreadyExistsError: the name is taken, be it by a deleted experiment.
    """
    return Client().create_experiment(name, artifact_location, tags)


def get_experiment(experiment_id: str) -> Experiment:
    """One experiment by its id, deleted ones too.

    Args:
        experiment_id: Its id.

    Raises:
        NotFoundError: no such experiment.
    """
    return Client().get_experiment(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """One experiment by its exact name, deleted ones too; None where there is none.

    Args:
        name: Its name, in upper and lower case as it is.
    """
    return Client().get_experiment_by_name(name)


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> list[Experiment]:
    """The experiments that match a search expression.

    Args:
        view_type: `ViewType.ACTIVE_ONLY`, `DELETED_ONLY` or `ALL`.
        max_results: How many at the most; all by default.
        filter_string: Over `name`, `creation_time`, `last_update_time` and `tags.<key>`.
        order_by: Order clauses over `experiment_id`, `name`, `creation_time`, `last_update_time`; by default
            the last updated first.

    Raises:
        FilterError: the expression is malformed; the message points at the token.
    """
    client = Client()
    return all_pages(
        lambda size, token: client.search_experiments(view_type, size, filter_string, order_by, token), max_results
    )


def delete_experiment(experiment_id: str) -> None:
    """Mark an experiment and its runs deleted; `Client.restore_experiment` undoes it.

    Args:
        experiment_id: Its id.

    Raises:
        NotFoundError: no active experiment has this id.
    """
    Client().delete_experiment(experiment_id)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag of the active experiment.

    Args:
        key: The name: letters, digits, `_`, `-`, `.`, space, `:` and `/`, at most 250 characters.
        value: The value; what is no string is kept as one.

    Raises:
        InvalidParameterError: the name or the value is not allowed, or the experiment is deleted.
    """
    set_experiment_tags({key: value})


def set_experiment_tags(tags: dict[str, Any]) -> None:
    """Set tags of the active experiment, all of them or none; see `set_experiment_tag`.

    Args:
        tags: Names and values; what is no string is kept as one.
    """
    Client().set_experiment_tags(context.experiment_id(), tags)


def delete_experiment_tag(key: str) -> None:
    """Delete a tag of the active experiment.

    Args:
        key: The name of the tag.

    Raises:
        NotFoundError: it has no such tag.
    """
    Client().delete_experiment_tag(context.experiment_id(), key)
