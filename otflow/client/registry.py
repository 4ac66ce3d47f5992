"""Registered models and their versions."""

from __future__ import annotations

import logging
import time
import warnings
from typing import Any, Final

from otflow import context
from otflow.client.connected import Connected
from otflow.entities import Page
from otflow.entities.model_registry import ModelVersion, RegisteredModel
from otflow.errors import InvalidParameterError, NotFoundError, OtflowError
from otflow.files.opening import open_repository
from otflow.files.paths import below
from otflow.files.repository import ArtifactRepository
from otflow.semconv import RegistryKey
from otflow.store.model_uris import SCHEME, parse_model_uri
from otflow.store.registry_validation import STAGES, check_name, check_tags

__all__ = ["RegistryClient"]

_logger = logging.getLogger("otflow")

_PENDING: Final = "PENDING_REGISTRATION"
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 3.0
"""Between two looks at a version that a server is still registering."""
_STAGES_GO: Final = (
    "Model registry stages will be removed in a future major release of MLflow; use aliases and tags of versions"
)


class RegistryClient(Connected):
    """Registered models and their versions. Prompts are kept apart: to these methods they are not there."""

    # -- registered models -----------------------------------------------------------------------

    def create_registered_model(
        self,
        name: str,
        tags: dict[str, Any] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        """Create a registered model: a name that versions of a model are kept under.

        Args:
            name: The name, unique among the models and prompts of the workspace.
            tags: Its first tags.
            description: What it is.
            deployment_job_id: A deployment job of Databricks.

        Raises:
            AlreadyExistsError: a model or a prompt has the name.
            InvalidParameterError: an argument is not allowed.
        """
        checked = check_tags(tags)
        if RegistryKey.IS_PROMPT in checked:
            raise InvalidParameterError("Prompts cannot be registered as models.")
        return self._registry().create_registered_model(
            name, tags=checked, description=description, deployment_job_id=deployment_job_id
        )

    def get_registered_model(self, name: str) -> RegisteredModel:
        """One registered model with its tags, aliases, and the latest version of each stage. Raises NotFoundError."""
        return self._registry().get_registered_model(name, prompt=False)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Rename a registered model; its versions, tags and aliases go with it.

        Raises:
            NotFoundError: no such model.
            AlreadyExistsError: the new name is taken.
        """
        return self._registry().rename_registered_model(name, new_name)

    def update_registered_model(
        self, name: str, description: str | None = None, deployment_job_id: str | None = None
    ) -> RegisteredModel:
        """Set the description of a registered model; None empties it. Raises NotFoundError."""
        return self._registry().update_registered_model(
            name, description=description, deployment_job_id=deployment_job_id
        )

    def delete_registered_model(self, name: str) -> None:
        """Delete a registered model with all its versions. Raises NotFoundError."""
        self._registry().delete_registered_model(name, prompt=False)

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Page[RegisteredModel]:
        """One page of the registered models that match; see `otflow.search_registered_models`.

        Raises:
            FilterError: the expression is malformed; the message points at the token.
            InvalidParameterError: an argument that is not allowed.
        """
        return self._registry().search_registered_models(
            filter_string=filter_string, order_by=order_by, max_results=max_results, page_token=page_token
        )

    def set_registered_model_tag(self, name: str, key: str, value: Any) -> None:
        """Set a tag of a registered model. Raises NotFoundError."""
        self._registry().set_registered_model_tag(name, key, value, prompt=False)

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Delete a tag of a registered model, if it is there. Raises NotFoundError for the model."""
        self._registry().delete_registered_model_tag(name, key, prompt=False)

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Make an alias mean a version, whatever it meant before.

        Raises:
            NotFoundError: no such version.
            InvalidParameterError: the alias is not allowed: `latest` and `v<number>` mean versions already.
        """
        self._registry().set_registered_model_alias(name, alias, version, prompt=False)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Delete an alias, if it is there. Raises NotFoundError for the model."""
        self._registry().delete_registered_model_alias(name, alias, prompt=False)

    # -- versions --------------------------------------------------------------------------------

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: dict[str, Any] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        await_creation_for: int | None = 300,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Add a version to a registered model; it gets the next number.

        Args:
            name: The registered model.
            source: The URI of its artifacts, or of the logged model or the version that it is.
            run_id: The run that made it; that of the logged model by default.
            tags: Its first tags.
            run_link: Where that run can be looked at.
            description: What it is.
            await_creation_for: Seconds to wait for a server that takes its time; 0 and None do not wait.
            model_id: The logged model that it is; that of the source by default.

        Raises:
            NotFoundError: no such registered model, or no such logged model.
            InvalidParameterError: an argument is not allowed.
        """
        if model_id is None and isinstance(source, str) and source.startswith(SCHEME):  # pyright: ignore[reportUnnecessaryIsInstance]
            model_id = parse_model_uri(source).model_id
        if model_id is not None:
            model = self._store().get_logged_model(model_id)
            run_id = run_id or model.source_run_id
        return self.add_version(
            name,
            source,
            run_id=run_id,
            tags=tags,
            run_link=run_link,
            description=description,
            model_id=model_id,
            wait_s=await_creation_for,
        )

    def add_version(
        self, name: str, source: Any, *, tags: dict[str, Any] | None, wait_s: Any, **more: Any
    ) -> ModelVersion:
        """`create_model_version`, with what else a store takes: `create_model` among it.

        Args:
            name: The registered model.
            source: The URI that is registered.
            tags: Its first tags.
            wait_s: How long to wait for it.
            **more: Further arguments of `RegistryStore.create_model_version`.
        """
        if wait_s is not None and (isinstance(wait_s, bool) or not isinstance(wait_s, (int, float))):
            raise InvalidParameterError(f"The time to wait for a version is a number of seconds, not {wait_s!r}")
        if not isinstance(source, str) or not source:
            raise InvalidParameterError(f"The source of a model version must be a path or a URI, not {source!r}")
        version = self._registry().create_model_version(
            name,
            source,
            tags=check_tags(tags),
            prompt=False,
            storage_location=self._location_elsewhere(source),
            **more,
        )
        return self._awaited(version, wait_s or 0)

    def _location_elsewhere(self, source: str) -> str | None:
        """Where the artifacts of a logged model are that the registry does not know, being another store."""
        if self._registry_uri == self._uri or not source.startswith(SCHEME):
            return None
        uri = parse_model_uri(source)
        if uri.model_id is None:
            return None
        location = self._store().get_logged_model(uri.model_id).artifact_location
        return below(location, uri.path.rstrip("/"))

    def _awaited(self, version: ModelVersion, wait_s: float) -> ModelVersion:
        """A version once a server that takes its time has registered it."""
        deadline = time.monotonic() + wait_s
        pause_s = _FIRST_PAUSE_S
        while version.status == _PENDING and wait_s > 0:
            if time.monotonic() >= deadline:
                raise OtflowError(
                    f"Exceeded {wait_s:g} seconds while waiting for version {version.version} of {version.name!r}"
                )
            time.sleep(min(pause_s, wait_s))
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            version = self._registry().get_model_version(version.name, str(version.version))
        if version.status not in (_PENDING, "READY"):
            raise OtflowError(
                f"Registering version {version.version} of {version.name!r} failed with status {version.status}:"
                f" {version.status_message}"
            )
        return version

    def copy_model_version(self, src_model_uri: str, dst_name: str) -> ModelVersion:
        """Copy a version to another registered model, which is made where there is none.

        Its tags, description, run and logged model are those of the original, and its source is the original.

        Args:
            src_model_uri: The version: `models:/<name>/<version>`, or by `@<alias>`, `/latest` or a stage.
            dst_name: The registered model that it is added to.

        Raises:
            NotFoundError: no such version.
            InvalidParameterError: the URI means no version.
        """
        if not isinstance(src_model_uri, str) or not src_model_uri.startswith(SCHEME):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(
                f"Unsupported source model URI: {src_model_uri!r}. The `copy_model_version` API only copies models"
                " stored in the 'models:/' scheme."
            )
        check_name(dst_name)
        original = self.version_of_uri(src_model_uri)
        copy = self._registry().create_model_version(
            dst_name,
            f"models:/{original.name}/{original.version}",
            run_id=original.run_id,
            tags=original.tags,
            run_link=original.run_link,
            description=original.description,
            model_id=original.model_id,
            create_model=True,
            prompt=False,
        )
        _logger.info(
            "Copied version '%s' of model '%s' to version '%s' of model '%s'.",
            original.version, original.name, copy.version, copy.name,
        )  # fmt: skip
        return copy

    def version_of_uri(self, uri: str) -> ModelVersion:
        """The version that a URI `models:/…` means.

        Args:
            uri: `models:/<name>/<version>`, or by `@<alias>`, `/latest` or a stage.

        Raises:
            NotFoundError: no such version.
            InvalidParameterError: the URI means a logged model or nothing, or there is no such alias or stage.
        """
        meant, registry = parse_model_uri(uri), self._registry()
        if meant.alias is not None:
            return registry.get_model_version_by_alias(meant.name, meant.alias, prompt=False)
        if meant.version is not None:
            return registry.get_model_version(meant.name, meant.version, prompt=False)
        if meant.stage is None:
            raise InvalidParameterError(f"{uri} means a logged model; a version of a registered model is needed")
        found = registry.get_latest_versions(meant.name, [meant.stage], prompt=False)
        if not found:
            raise NotFoundError(f"No versions of model with name '{meant.name}' and stage '{meant.stage}' found")
        return found[0]

    def get_model_version(self, name: str, version: str) -> ModelVersion:
        """One version. Raises NotFoundError."""
        return self._registry().get_model_version(name, version, prompt=False)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that an alias means; `latest` means the one with the highest number.

        Raises:
            NotFoundError: no such model.
            InvalidParameterError: no such alias.
        """
        return self._registry().get_model_version_by_alias(name, alias, prompt=False)

    def get_model_version_download_uri(self, name: str, version: str) -> str:
        """The URI of the directory that the artifacts of a version are in. Raises NotFoundError."""
        return self._registry().get_model_version_download_uri(name, version)

    def version_repository(self, uri: str) -> ArtifactRepository:
        """Where the artifacts of a version are, by a URI `models:/…`; see `version_of_uri`."""
        version = self.version_of_uri(uri)
        location = self.get_model_version_download_uri(version.name, str(version.version))
        if location.startswith("runs:/"):  # a version may have been made of one
            run_id, _, path = location.removeprefix("runs:/").lstrip("/").partition("/")
            location = below(self._store().get_run(run_id).info.artifact_uri or "", path)
        return open_repository(location, tracking_uri=context.place(self._registry_uri))

    def update_model_version(self, name: str, version: str, description: str | None = None) -> ModelVersion:
        """Set the description of a version.

        Raises:
            NotFoundError: no such version.
            InvalidParameterError: there is no description.
        """
        return self._registry().update_model_version(name, version, description=description)

    def delete_model_version(self, name: str, version: str) -> None:
        """Delete a version with its tags and the aliases that mean it. Raises NotFoundError."""
        self._registry().delete_model_version(name, version, prompt=False)

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = 10_000,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Page[ModelVersion]:
        """One page of the versions that match; see `otflow.search_model_versions`.

        Raises:
            FilterError: the expression is malformed; the message points at the token.
            InvalidParameterError: an argument that is not allowed.
        """
        return self._registry().search_model_versions(
            filter_string=filter_string, order_by=order_by, max_results=max_results, page_token=page_token
        )

    def set_model_version_tag(
        self,
        name: str,
        version: str | None = None,
        key: str | None = None,
        value: Any = None,
        stage: str | None = None,
    ) -> None:
        """Set a tag of a version, or of the latest version of a stage.

        Args:
            name: The registered model.
            version: The version; give either this or `stage`.
            key: The key.
            value: The value; what is no string is kept as one.
            stage: A stage. Deprecated: stages go.

        Raises:
            NotFoundError: no such version.
            InvalidParameterError: an argument is not allowed, or both or neither of version and stage are given.
        """
        which = self._version_or_stage(name, version, stage, "set_model_version_tag")
        self._registry().set_model_version_tag(name, which, key, value, prompt=False)  # pyright: ignore[reportArgumentType]

    def delete_model_version_tag(
        self, name: str, version: str | None = None, key: str | None = None, stage: str | None = None
    ) -> None:
        """Delete a tag of a version, if it is there; see `set_model_version_tag`."""
        which = self._version_or_stage(name, version, stage, "delete_model_version_tag")
        self._registry().delete_model_version_tag(name, which, key, prompt=False)  # pyright: ignore[reportArgumentType]

    def _version_or_stage(self, name: str, version: Any, stage: str | None, method: str) -> str:
        if version is not None and stage is not None:
            raise InvalidParameterError("version and stage cannot be set together")
        if version is None and stage is None:
            raise InvalidParameterError("version or stage must be set")
        if stage is None:
            return str(version)
        warnings.warn(
            f"The `stage` parameter of the `{method}` API is deprecated. {_STAGES_GO}.", FutureWarning, stacklevel=3
        )
        found = self._registry().get_latest_versions(name, [stage], prompt=False)
        if not found:
            raise NotFoundError(f"Could not find any model version for {stage} stage")
        return str(found[0].version)

    # -- stages ----------------------------------------------------------------------------------

    def get_latest_versions(self, name: str, stages: list[str] | None = None) -> list[ModelVersion]:
        """The latest version of each stage, or of those named. Deprecated: stages go.

        Raises:
            NotFoundError: no such model.
            InvalidParameterError: no such stage.
        """
        _warn_of_stages("get_latest_versions")
        return self._registry().get_latest_versions(name, stages, prompt=False)

    def transition_model_version_stage(
        self, name: str, version: str, stage: str, archive_existing_versions: bool = False
    ) -> ModelVersion:
        """Move a version to a stage: None, Staging, Production or Archived. Deprecated: stages go.

        Args:
            name: The registered model.
            version: The version.
            stage: The stage, in whatever case.
            archive_existing_versions: Whether the other versions of that stage are archived.

        Raises:
            NotFoundError: no such version.
            InvalidParameterError: no such stage, or not one that others are archived from.
        """
        _warn_of_stages("transition_model_version_stage")
        return self._registry().transition_model_version_stage(
            name, version, stage, archive_existing_versions=archive_existing_versions
        )

    def get_model_version_stages(self, name: str, version: str) -> list[str]:  # noqa: ARG002  # MLflow's
        """The stages that a version can be in. Deprecated: stages go."""
        _warn_of_stages("get_model_version_stages")
        return list(STAGES)


def _warn_of_stages(method: str) -> None:
    warnings.warn(f"`{method}` is deprecated since MLflow 2.9.0. {_STAGES_GO}.", FutureWarning, stacklevel=3)
