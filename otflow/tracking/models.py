"""Logged models: versions of a model, an application or an agent, with what was measured of them."""

from __future__ import annotations

import datetime
import json
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from otflow import context
from otflow.client import Client
from otflow.client.frames import models_frame
from otflow.entities import LoggedModel, LoggedModelStatus
from otflow.errors import InvalidParameterError, OtflowError
from otflow.files.opening import open_repository
from otflow.search.tree import quote
from otflow.semconv import RunKey
from otflow.source_code import source_tags
from otflow.tracing.search import all_pages

if TYPE_CHECKING:
    import pandas

__all__ = [
    "create_external_model",
    "default_experiment",
    "delete_logged_model_tag",
    "finalize_logged_model",
    "get_logged_model",
    "import_checkpoints",
    "initialize_logged_model",
    "last_logged_model",
    "search_logged_models",
    "set_logged_model_tags",
]

_logger = logging.getLogger("otflow")
_last: context.Current[tuple[str, str] | None] = context.Current("otflow_last_model", None, by_task=False)
"""The model that was made last in this flow of control, and its store."""

_FORMAT: Final = "3.10.1"
"""The release of MLflow whose description of a model this is."""
_NOT_IN_NAMES: Final = str.maketrans(dict.fromkeys("/:.%\"'", "_"))


# -- making --------------------------------------------------------------------------------------------


def initialize_logged_model(
    name: str | None = None,
    source_run_id: str | None = None,
    tags: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    model_type: str | None = None,
    experiment_id: str | None = None,
) -> LoggedModel:
    """Make a logged model that is PENDING: its artifacts follow, then `finalize_logged_model`.

    Args:
        name: Its name, a random one by default; several models may have it.
        source_run_id: The run that it comes from; the active one by default.
        tags: Its first tags, beside those that say who made it and by which program.
        params: Its first parameters.
        model_type: What kind of model it is, such as `"agent"`.
        experiment_id: The experiment; that of the active run by default, else the active one.

    Raises:
        NotFoundError: no such experiment.
        InvalidParameterError: the experiment is deleted, or an argument is not allowed.

    Example:
        >>> import otflow
        >>> model = otflow.initialize_logged_model("classifier", params={"depth": 3})
        >>> otflow.finalize_logged_model(model.model_id, "READY").params
        {'depth': '3'}
    """
    return _create(name, source_run_id, tags, params, model_type, experiment_id, LoggedModelStatus.PENDING)


def create_external_model(
    name: str | None = None,
    source_run_id: str | None = None,
    tags: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    model_type: str | None = None,
    experiment_id: str | None = None,
) -> LoggedModel:
    """Make a logged model whose artifacts are kept elsewhere, or which has none, such as an agent; it is READY.

    Args:
        name: Its name, a random one by default; several models may have it.
        source_run_id: The run that it comes from; the active one by default.
        tags: Its first tags, beside those that say who made it and by which program.
        params: Its first parameters.
        model_type: What kind of model it is, such as `"agent"`.
        experiment_id: The experiment; that of the active run by default, else the active one.

    Raises:
        NotFoundError: no such experiment.
        InvalidParameterError: the experiment is deleted, or an argument is not allowed.

    Example:
        >>> import otflow
        >>> otflow.create_external_model("support-agent", params={"llm": "small"}, model_type="agent").status.value
        'READY'
    """
    external = {**_dictionary("tags", tags), RunKey.IS_EXTERNAL: "true"}
    model = _create(name, source_run_id, external, params, model_type, experiment_id, LoggedModelStatus.READY)
    _describe(model)
    return model


def _create(
    name: str | None,
    source_run_id: str | None,
    tags: Mapping[str, Any] | None,
    params: Mapping[str, Any] | None,
    model_type: str | None,
    experiment_id: str | None,
    status: LoggedModelStatus,
) -> LoggedModel:
    uri = context.place()
    model = context.store(uri).create_logged_model(
        default_experiment() if experiment_id is None else str(experiment_id),
        name=name,
        source_run_id=context.active_run_id(context.place()) if source_run_id is None else source_run_id,
        tags={**source_tags(), **_dictionary("tags", tags)},
        params=_dictionary("params", params),
        model_type=model_type,
        status=status,
    )
    _last.set((model.model_id, uri))
    return model


def default_experiment() -> str:
    """The experiment that a model goes to: that of the active run, if that is in the same store, or the active one."""
    scope = context.active_run(context.place())
    return context.experiment_id() if scope is None else scope.experiment_id or context.experiment_id()


def _dictionary(parameter: str, given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise InvalidParameterError(f"{parameter} must be a dictionary, not {given!r}")
    return dict(given or {})  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _describe(model: LoggedModel) -> None:
    """Leave the file `MLmodel` among the artifacts, by which MLflow knows that a model is an external one."""
    created = datetime.datetime.fromtimestamp(model.creation_timestamp / 1000, datetime.timezone.utc)
    fields: dict[str, object] = {
        "artifact_path": model.artifact_location,
        "flavors": {},
        "metadata": {RunKey.IS_EXTERNAL: True},
        "mlflow_version": _FORMAT,
        "model_id": model.model_id,
        "model_uuid": model.model_id,
        **({} if model.source_run_id is None else {"run_id": model.source_run_id}),
        "utc_time_created": created.strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    # YAML: what JSON says means the same in it.
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in fields.items())
    try:
        repository = open_repository(model.artifact_location, tracking_uri=context.place())
        repository.write("MLmodel", text.encode())
    except (OtflowError, OSError) as error:
        # The model is there, and otflow reads nothing from this file.
        _logger.warning("The file MLmodel of the logged model %s could not be written: %s", model.model_id, error)


def last_logged_model() -> LoggedModel | None:
    """The logged model that was made last in this thread or asyncio task, as it is now; None where there was none.

    Raises:
        NotFoundError: it was deleted.
    """
    last = _last.get()
    return None if last is None else Client(last[1]).get_logged_model(last[0])


# -- reading and changing ------------------------------------------------------------------------------


def get_logged_model(model_id: str) -> LoggedModel:
    """One logged model as it is now, with all points of its metrics.

    Args:
        model_id: Its id.

    Raises:
        NotFoundError: no such model, or it was deleted.
        InvalidParameterError: the id is empty.
    """
    return Client().get_logged_model(model_id)


def finalize_logged_model(model_id: str, status: Literal["READY", "FAILED"] | LoggedModelStatus) -> LoggedModel:
    """Say how the making of a logged model ended.

    Args:
        model_id: The model.
        status: `"READY"` or `"FAILED"`.

    Returns:
        The model as it is now.

    Raises:
        NotFoundError: no such model, or it was deleted.
        InvalidParameterError: no such status.
    """
    return Client().finalize_logged_model(model_id, status)


def set_logged_model_tags(model_id: str, tags: dict[str, Any]) -> None:
    """Set tags of a logged model, all of them or none; what is no string is kept as one.

    Args:
        model_id: The model.
        tags: Names and values; others stay.

    Raises:
        NotFoundError: no such model, or it was deleted.
        InvalidParameterError: a tag is not allowed.
    """
    Client().set_logged_model_tags(model_id, _dictionary("tags", tags))


def delete_logged_model_tag(model_id: str, key: str) -> None:
    """Delete a tag of a logged model.

    Args:
        model_id: The model.
        key: The name of the tag.

    Raises:
        NotFoundError: no such model, or it has no such tag.
    """
    Client().delete_logged_model_tag(model_id, key)


# -- searching -----------------------------------------------------------------------------------------


@overload
def search_logged_models(
    experiment_ids: list[str] | None = ...,
    filter_string: str | None = ...,
    datasets: list[dict[str, str]] | None = ...,
    max_results: int | None = ...,
    order_by: list[dict[str, Any]] | None = ...,
    output_format: Literal["pandas"] = ...,
) -> pandas.DataFrame: ...
@overload
def search_logged_models(
    experiment_ids: list[str] | None = ...,
    filter_string: str | None = ...,
    datasets: list[dict[str, str]] | None = ...,
    max_results: int | None = ...,
    order_by: list[dict[str, Any]] | None = ...,
    *,
    output_format: Literal["list"],
) -> list[LoggedModel]: ...
@overload
def search_logged_models(
    experiment_ids: list[str] | None = ...,
    filter_string: str | None = ...,
    datasets: list[dict[str, str]] | None = ...,
    max_results: int | None = ...,
    order_by: list[dict[str, Any]] | None = ...,
    output_format: str = ...,
) -> list[LoggedModel] | pandas.DataFrame: ...
def search_logged_models(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    datasets: list[dict[str, str]] | None = None,
    max_results: int | None = None,
    order_by: list[dict[str, Any]] | None = None,
    output_format: str = "pandas",
) -> list[LoggedModel] | pandas.DataFrame:
    """The logged models that match a search expression.

    Args:
        experiment_ids: The experiments; the active one by default.
        filter_string: Over attributes (`name`, `model_type`, `status`, `source_run_id`, `creation_timestamp`, …),
            `metrics.`, `params.` and `tags.`; a condition on a metric holds where one of its points is so.
        datasets: Members `dataset_name` and perhaps `dataset_digest`: only points of metrics that were measured on
            one of these count, and only models that have some.
        max_results: How many at the most; all by default.
        order_by: Members `field_name`, and perhaps `ascending` (True by default); of a metric the latest point
            counts, with `dataset_name` and `dataset_digest` the latest on that dataset. By default the newest first.
        output_format: `"pandas"` for a data frame, with a column for each field; `"list"` for the models.

    Raises:
        FilterError: the expression is malformed; the message points at the token.
        InvalidParameterError: an argument that is not allowed.
        MissingExtraError: a data frame is asked for and pandas is not installed.

    Example:
        >>> import otflow
        >>> model = otflow.create_external_model("agent-a", params={"llm": "small"})
        >>> with otflow.start_run():
        ...     otflow.log_metric("accuracy", 0.75, model_id=model.model_id)
        >>> found = otflow.search_logged_models(
        ...     filter_string="metrics.accuracy > 0.5 AND params.llm = 'small'",
        ...     order_by=[{"field_name": "metrics.accuracy", "ascending": False}],
        ...     output_format="list",
        ... )
        >>> [one.name for one in found]
        ['agent-a']
    """
    if output_format not in ("pandas", "list"):
        raise InvalidParameterError(
            f"Unsupported output format: {output_format!r}. Supported string values are 'pandas' or 'list'"
        )
    if isinstance(experiment_ids, str):
        raise InvalidParameterError(f"experiment_ids must be a list of strings, not {experiment_ids!r}")
    client = Client()
    where = list(experiment_ids or [context.experiment_id()])
    models = all_pages(
        lambda size, token: client.search_logged_models(where, filter_string, datasets, size, order_by, token),
        max_results,
    )
    return models if output_format == "list" else models_frame(models)


# -- checkpoints ---------------------------------------------------------------------------------------


def import_checkpoints(
    checkpoint_path: str,
    source_run_id: str | None = None,
    model_prefix: str | None = None,
    overwrite_checkpoints: bool = False,
) -> list[LoggedModel]:
    """Make an external model of each file and directory in a directory of checkpoints.

    Its name is the prefix and the name of the file; characters that names of models may not have become `_`. Where the
    checkpoint is, is its tag `otflow.checkpoint.path`. Files whose names begin with a dot are left out.

    Args:
        checkpoint_path: The directory.
        source_run_id: The run that made the checkpoints; the active one by default. Its experiment is the one that the
            models are in, and without a run the active one.
        model_prefix: What the names begin with.
        overwrite_checkpoints: Whether models of these names in that experiment are deleted and made anew; otherwise
            they are kept as they are.

    Returns:
        The models of all checkpoints, by the names of their files.

    Raises:
        InvalidParameterError: there is no such directory, or two checkpoints would have the same name.
        NotFoundError: no such run.
    """
    paths = _checkpoints(checkpoint_path, model_prefix or "")
    client = Client()
    run_id = context.active_run_id(context.place()) if source_run_id is None else source_run_id
    experiment = default_experiment() if source_run_id is None else client.get_run(source_run_id).info.experiment_id
    found: dict[str, list[LoggedModel]] = {}
    names = list(paths)
    for start in range(0, len(names), 100):
        some = ", ".join(quote(name) for name in names[start : start + 100])
        for model in all_pages(
            lambda size, token, some=some: client.search_logged_models(
                [experiment], f"name IN ({some})", max_results=size, page_token=token
            ),
            None,
        ):
            found.setdefault(model.name, []).append(model)
    models: list[LoggedModel] = []
    for name, path in paths.items():
        before = found.get(name, [])
        if before and not overwrite_checkpoints:
            models.append(before[0])
            continue
        tags = {RunKey.CHECKPOINT_PATH: path}
        models.append(create_external_model(name, run_id, tags, experiment_id=experiment))
        for model in before:
            client.delete_logged_model(model.model_id)
    return models


def _checkpoints(directory: str | os.PathLike[str], prefix: str) -> dict[str, str]:
    """The path of each checkpoint, by the name of its model."""
    if not directory or not isinstance(directory, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"checkpoint_path is the path of a directory, not {directory!r}")
    root = os.path.abspath(directory)
    if not os.path.isdir(root):
        raise InvalidParameterError(f"checkpoint_path is not a directory: {root!r}")
    paths: dict[str, str] = {}
    for entry in sorted(os.listdir(root)):
        if entry.startswith("."):
            continue
        name = prefix + entry.translate(_NOT_IN_NAMES)
        path = os.path.join(root, entry)
        if name in paths:
            raise InvalidParameterError(f"{paths[name]!r} and {path!r} would both be the logged model {name!r}")
        paths[name] = path
    return paths
