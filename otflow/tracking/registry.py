"""Registered models: versions of what runs and logged models have made, under names that others load them by."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any, Final, Literal

from otflow.client import Client
from otflow.entities import LoggedModel
from otflow.entities.model_registry import ModelVersion, RegisteredModel
from otflow.errors import InvalidParameterError, MissingFileError, NotFoundError
from otflow.files.opening import open_repository
from otflow.files.paths import below
from otflow.search.tree import quote
from otflow.semconv import RegistryKey
from otflow.store.model_uris import SCHEME, parse_model_uri
from otflow.store.registry_validation import MAX_MODELS, check_name, check_tags
from otflow.tracing.search import all_pages
from otflow.tracking.env_pack import EnvPackConfig, checked_env_pack, pack_environment

__all__ = ["register_model", "search_model_versions", "search_registered_models", "set_model_version_tag"]

_logger = logging.getLogger("otflow")

_VERSIONS_PER_PAGE: Final = 10_000
_RUNS: Final = "runs:/"
_DESCRIPTION: Final = "MLmodel"
"""The file that says of a directory that it is a model."""


# -- registering ---------------------------------------------------------------------------------------


def register_model(
    model_uri: str,
    name: str,
    await_registration_for: int | None = 300,
    *,
    tags: dict[str, Any] | None = None,
    env_pack: Literal["databricks_model_serving"] | EnvPackConfig | None = None,
) -> ModelVersion:
    """Make a version of a registered model, which is made too where there is none of the name.

    Args:
        model_uri: What is registered: `runs:/<run id>/<path>`, `models:/<model id>`, a version of a registered model
            (`models:/<name>/<version>`, `models:/<name>@<alias>`), a local path, or a URI. Run and logged model are
            kept with the version.
        name: The registered model.
        await_registration_for: Seconds to wait for a server that takes its time; 0 and None do not wait.
        tags: First tags of the version.
        env_pack: Pack the environment of the model beside its files, in `_env`: `"databricks_model_serving"`, or an
            `EnvPackConfig`.

    Raises:
        NotFoundError: no such run, logged model or version.
        AlreadyExistsError: the name is that of a prompt.
        InvalidParameterError: an argument is not allowed.
        OtflowError: the environment cannot be packed; nothing is registered then.

    Example:
        >>> import otflow
        >>> model = otflow.create_external_model("classifier")
        >>> otflow.register_model(model.model_uri, "classifier").version
        1
    """
    packing = checked_env_pack(env_pack)
    if not isinstance(model_uri, str) or not model_uri:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"The URI of a model must be a non-empty string, got {model_uri!r}")
    check_name(name)
    check_tags(tags)
    client = Client()
    model, lineage = _lineage(client, model_uri)
    if packing is not None:
        _pack(client, lineage["source"], packing)
    version = client.add_version(
        name, lineage.pop("source"), tags=tags, wait_s=await_registration_for, create_model=True, **lineage
    )
    if str(version.version) == "1":
        _logger.info("Successfully registered model '%s'.", name)
    else:
        _logger.info("Registered model '%s' already exists. Creating a new version of this model...", name)
    _logger.info("Created version '%s' of model '%s'.", version.version, name)
    if model is not None:
        _note(client, model, version)
    return version


def _lineage(client: Client, uri: str) -> tuple[LoggedModel | None, dict[str, Any]]:
    """The logged model that is registered, if it is one, and what is kept of where a version is from."""
    if uri.startswith(_RUNS):
        return _from_run(client, uri)
    if not uri.startswith(SCHEME):
        return None, {"source": uri}
    meant = parse_model_uri(uri)
    if meant.model_id is not None:
        model = client.get_logged_model(meant.model_id)
        return model, {"source": uri, "run_id": model.source_run_id, "model_id": model.model_id}
    original = client.version_of_uri(uri)
    source = f"{SCHEME}{original.name}/{original.version}"
    return None, {
        "source": below(source, meant.path.rstrip("/")),
        "run_id": original.run_id,
        "model_id": original.model_id,
    }


def _from_run(client: Client, uri: str) -> tuple[LoggedModel | None, dict[str, Any]]:
    """A model of a run: artifacts that say that they are one, else a logged model, else any artifacts."""
    run_id, _, path = uri.removeprefix(_RUNS).lstrip("/").partition("/")
    path = path.strip("/")
    if not run_id or not path:
        raise InvalidParameterError(f"Not a proper runs:/ URI: {uri}. It must be of the form 'runs:/<run_id>/path'")
    run = client.get_run(run_id)
    repository = client.run_repository(run_id)
    there = [info.path.rpartition("/")[2] for info in repository.list_artifacts(path)]
    artifacts: dict[str, Any] = {"source": below(repository.uri, path), "run_id": run_id}
    if _DESCRIPTION in there:
        return None, artifacts
    found = client.search_logged_models(
        [run.info.experiment_id],
        filter_string=f"name = {quote(path)} AND source_run_id = {quote(run_id)}",
        max_results=1,
    )
    if found:
        _logger.warning(
            "Run with id %s has no artifacts at artifact path %r, registering model based on %s instead",
            run_id, path, found[0].model_uri,
        )  # fmt: skip
        return found[0], {"source": found[0].model_uri, "run_id": run_id, "model_id": found[0].model_id}
    if not there:
        raise NotFoundError(f"Unable to find artifacts or a logged model with artifact_path {path} under run {run_id}")
    return None, artifacts


def _pack(client: Client, source: str, packing: EnvPackConfig) -> None:
    """Put the packed environment of a model beside its files."""
    if source.startswith(SCHEME):
        meant = parse_model_uri(source)
        repository = (
            client.version_repository(source) if meant.model_id is None else client.model_repository(meant.model_id)
        )
        if meant.path:
            repository = open_repository(below(repository.uri, meant.path.rstrip("/")), tracking_uri=client.place)
    else:
        repository = open_repository(source, tracking_uri=client.place)
    if not repository.list_artifacts():
        raise MissingFileError(f"There are no files at {source!r}, the environment of which could be packed")
    with tempfile.TemporaryDirectory(prefix="otflow-register-") as work:
        files = Path(repository.download_artifacts("", os.path.join(work, "model")))
        packed = Path(work, "packed")
        pack_environment(files, packing, packed)
        repository.log_artifacts(str(packed))


def _note(client: Client, model: LoggedModel, version: ModelVersion) -> None:
    """Note the version on the logged model, as MLflow does: its pages lead to the versions."""
    try:
        noted = json.loads((model.tags or {}).get(RegistryKey.MODEL_VERSIONS, "[]"))
    except ValueError:
        noted = []
    noted = [*(noted if isinstance(noted, list) else []), {"name": version.name, "version": int(version.version)}]  # pyright: ignore[reportUnknownVariableType]
    client.set_logged_model_tags(model.model_id, {RegistryKey.MODEL_VERSIONS: json.dumps(noted)})


def set_model_version_tag(name: str, version: str | None = None, key: str | None = None, value: Any = None) -> None:
    """Set a tag of a version of a registered model.

    Args:
        name: The registered model.
        version: The version.
        key: The key.
        value: The value; what is no string is kept as one.

    Raises:
        NotFoundError: no such version.
        InvalidParameterError: an argument is not allowed.
    """
    Client().set_model_version_tag(name, version, key, value)


# -- searching -----------------------------------------------------------------------------------------


def search_registered_models(
    max_results: int | None = None, filter_string: str | None = None, order_by: list[str] | None = None
) -> list[RegisteredModel]:
    """The registered models that match, by name; prompts are none.

    Args:
        max_results: How many at most; all by default.
        filter_string: An expression over `name` and `tags.<key>`, such as `"name LIKE 'churn-%' AND tags.team = 'a'"`.
        order_by: Such as `["last_updated_timestamp DESC"]`.

    Raises:
        FilterError: the expression is malformed; the message points at the token.

    Example:
        >>> import otflow
        >>> model = otflow.Client().create_registered_model("churn-2", tags={"team": "a"})
        >>> [model.name for model in otflow.search_registered_models(filter_string="tags.team = 'a'")]
        ['churn-2']
    """
    client = Client()
    return all_pages(
        lambda limit, token: client.search_registered_models(filter_string, limit, order_by, token),
        max_results,
        MAX_MODELS,
    )


def search_model_versions(
    max_results: int | None = None, filter_string: str | None = None, order_by: list[str] | None = None
) -> list[ModelVersion]:
    """The versions of registered models that match, the last updated first; those of prompts are none.

    Args:
        max_results: How many at most; all by default.
        filter_string: An expression over `name`, `version_number`, `run_id`, `source_path` and `tags.<key>`, such as
            `"name = 'churn' AND version_number > 3"`.
        order_by: Such as `["version_number DESC"]`.

    Raises:
        FilterError: the expression is malformed; the message points at the token.
    """
    client = Client()
    return all_pages(
        lambda limit, token: client.search_model_versions(filter_string, limit, order_by, token),
        max_results,
        _VERSIONS_PER_PAGE,
    )
