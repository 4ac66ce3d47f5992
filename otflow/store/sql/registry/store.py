"""The registry of a workspace over SQL. Each method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from otflow.entities.model_registry import ModelVersion, RegisteredModel
from otflow.entities.page import Page
from otflow.store.registry import RegistryStore
from otflow.store.sql.connection import Session
from otflow.store.sql.registry import models, search, versions
from otflow.store.sql.registry.part import RegistryPart

__all__ = ["SqlRegistry"]

T = TypeVar("T")


class SqlRegistry(RegistryPart, RegistryStore):
    """Registered models, their versions, aliases and tags, prompts among them."""

    def _see(self, work: Callable[[Session], T]) -> T:
        """Read the registry as it is at one moment."""
        with self._database.snapshot() as session:
            return work(session)

    # -- registered models -----------------------------------------------------------------------

    def create_registered_model(
        self,
        name: str,
        *,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        return self._change(
            lambda session: models.create(session, self._workspace, name, tags, description, deployment_job_id)
        )

    def get_registered_model(self, name: str, *, prompt: bool | None = None) -> RegisteredModel:
        return self._see(lambda session: models.get(session, self._workspace, name, prompt))

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        return self._change(lambda session: models.rename(session, self._workspace, name, new_name))

    def update_registered_model(
        self, name: str, *, description: str | None = None, deployment_job_id: str | None = None
    ) -> RegisteredModel:
        return self._change(
            lambda session: models.update(session, self._workspace, name, description, deployment_job_id)
        )

    def delete_registered_model(self, name: str, *, prompt: bool | None = None) -> None:
        self._change(lambda session: models.delete(session, self._workspace, name, prompt))

    def search_registered_models(
        self,
        *,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 100,
        page_token: str | None = None,
    ) -> Page[RegisteredModel]:
        return self._see(
            lambda session: search.search_models(
                session,
                self._workspace,
                filter_string=filter_string,
                order_by=order_by,
                max_results=max_results,
                page_token=page_token,
            )
        )

    def set_registered_model_tag(self, name: str, key: str, value: str, *, prompt: bool | None = None) -> None:
        self._change(lambda session: models.set_tag(session, self._workspace, name, key, value, prompt))

    def delete_registered_model_tag(self, name: str, key: str, *, prompt: bool | None = None) -> None:
        self._change(lambda session: models.delete_tag(session, self._workspace, name, key, prompt))

    def set_registered_model_alias(self, name: str, alias: str, version: str, *, prompt: bool | None = None) -> None:
        self._change(lambda session: models.set_alias(session, self._workspace, name, alias, version, prompt))

    def delete_registered_model_alias(self, name: str, alias: str, *, prompt: bool | None = None) -> None:
        self._change(lambda session: models.delete_alias(session, self._workspace, name, alias, prompt))

    # -- versions --------------------------------------------------------------------------------

    def get_model_version_by_alias(self, name: str, alias: str, *, prompt: bool | None = None) -> ModelVersion:
        return self._see(lambda session: versions.by_alias(session, self._workspace, name, alias, prompt))

    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None, *, prompt: bool | None = None
    ) -> list[ModelVersion]:
        return self._see(lambda session: versions.of_stages(session, self._workspace, name, stages, prompt))

    def get_latest_version(self, name: str, *, prompt: bool | None = None) -> ModelVersion:
        return self._see(lambda session: versions.latest(session, self._workspace, name, prompt))

    def create_model_version(
        self,
        name: str,
        source: str,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        model_id: str | None = None,
        storage_location: str | None = None,
        create_model: bool = False,
        model_tags: Mapping[str, str] | None = None,
        model_description: str | None = None,
        prompt: bool | None = None,
    ) -> ModelVersion:
        draft = versions.draft(
            name,
            source,
            run_id=run_id,
            tags=tags,
            run_link=run_link,
            description=description,
            model_id=model_id,
            storage_location=storage_location,
            create_model=create_model,
            model_tags=model_tags,
            model_description=model_description,
            prompt=prompt,
        )
        return self._change(lambda session: versions.create(session, self._workspace, draft))

    def get_model_version(self, name: str, version: str, *, prompt: bool | None = None) -> ModelVersion:
        return self._see(lambda session: versions.get(session, self._workspace, name, version, prompt))

    def update_model_version(self, name: str, version: str, *, description: str | None = None) -> ModelVersion:
        return self._change(lambda session: versions.update(session, self._workspace, name, version, description))

    def transition_model_version_stage(
        self, name: str, version: str, stage: str, *, archive_existing_versions: bool = False
    ) -> ModelVersion:
        return self._change(
            lambda session: versions.transition(
                session, self._workspace, name, version, stage, archive_existing_versions
            )
        )

    def delete_model_version(self, name: str, version: str, *, prompt: bool | None = None) -> None:
        self._change(lambda session: versions.delete(session, self._workspace, name, version, prompt))

    def get_model_version_download_uri(self, name: str, version: str) -> str:
        return self._see(lambda session: versions.location(session, self._workspace, name, version))

    def search_model_versions(
        self,
        *,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 10_000,
        page_token: str | None = None,
    ) -> Page[ModelVersion]:
        return self._see(
            lambda session: search.search_versions(
                session,
                self._workspace,
                filter_string=filter_string,
                order_by=order_by,
                max_results=max_results,
                page_token=page_token,
            )
        )

    def set_model_version_tag(
        self, name: str, version: str, key: str, value: str, *, prompt: bool | None = None
    ) -> None:
        self._change(lambda session: versions.set_tag(session, self._workspace, name, version, key, value, prompt))

    def delete_model_version_tag(self, name: str, version: str, key: str, *, prompt: bool | None = None) -> None:
        self._change(lambda session: versions.delete_tag(session, self._workspace, name, version, key, prompt))

    def link_prompt_to_experiment(self, name: str, experiment_id: str) -> None:
        self._change(lambda session: models.add_experiment(session, self._workspace, name, experiment_id))
