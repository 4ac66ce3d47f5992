"""The contract of a store for the registry: models, prompts, webhooks. What holds of every method is in `interface`.

**Prompts** are registered models with the tag `mlflow.prompt.is_prompt`, as in MLflow's REST API. Their versions have
it too, and what else is said of a version of a prompt is in its tags (`otflow.wire.prompts`). So a model and a prompt
of one workspace never share a name. The argument `prompt` of a method says what the name must be: True, the name of a
prompt; False, that of no prompt; None, either. Where it is not, that is as if nothing had the name.
**Names.** Names, aliases and keys that are not allowed raise `InvalidParameterError`; the rules are in
`otflow.store.registry_validation`.
**Versions** of a name count from 1: whatever the number of writers, each gets the number behind the highest that ever
was given out, and nobody sees an error of the database for it. The number of a deleted version is not given out again.
**Round trips.** A method is one transaction over SQL, and one request over HTTP where MLflow's REST API has one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from otflow.entities import Webhook, WebhookEvent, WebhookStatus, WebhookTestResult
from otflow.entities.model_registry import ModelVersion, RegisteredModel
from otflow.entities.page import Page

__all__ = ["RegistryStore", "WebhookStore"]


class RegistryStore(ABC):
    """Registered models: names that versions of a model are kept under, with aliases, stages and tags."""

    @abstractmethod
    def create_registered_model(
        self,
        name: str,
        *,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        """Create a registered model, or a prompt by its tags. Raises AlreadyExistsError."""

    @abstractmethod
    def get_registered_model(self, name: str, *, prompt: bool | None = None) -> RegisteredModel:
        """One registered model with its latest versions, tags and aliases. Raises NotFoundError."""

    @abstractmethod
    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Rename a registered model; versions, tags and aliases follow. Raises NotFoundError, AlreadyExistsError."""

    @abstractmethod
    def update_registered_model(
        self, name: str, *, description: str | None = None, deployment_job_id: str | None = None
    ) -> RegisteredModel:
        """Set the description, and the deployment job where one is given. Raises NotFoundError.

        A description that is None empties it, as in MLflow.
        """

    @abstractmethod
    def delete_registered_model(self, name: str, *, prompt: bool | None = None) -> None:
        """Delete a registered model with all its versions. Raises NotFoundError."""

    @abstractmethod
    def search_registered_models(
        self,
        *,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 100,
        page_token: str | None = None,
    ) -> Page[RegisteredModel]:
        """One page of the registered models that match, by default by name."""

    @abstractmethod
    def set_registered_model_tag(self, name: str, key: str, value: str, *, prompt: bool | None = None) -> None:
        """Set a tag. Raises NotFoundError, InvalidParameterError where it would make a prompt of a model."""

    @abstractmethod
    def delete_registered_model_tag(self, name: str, key: str, *, prompt: bool | None = None) -> None:
        """Delete a tag; one that is not there is no error, as in MLflow. Raises NotFoundError for the model."""

    @abstractmethod
    def set_registered_model_alias(self, name: str, alias: str, version: str, *, prompt: bool | None = None) -> None:
        """Make an alias mean a version, whatever it meant. Raises NotFoundError."""

    @abstractmethod
    def delete_registered_model_alias(self, name: str, alias: str, *, prompt: bool | None = None) -> None:
        """Delete an alias; one that is not there is no error, as in MLflow. Raises NotFoundError for the model."""

    @abstractmethod
    def get_model_version_by_alias(self, name: str, alias: str, *, prompt: bool | None = None) -> ModelVersion:
        """The version that an alias means. Raises NotFoundError, InvalidParameterError for an alias that is none."""

    @abstractmethod
    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None, *, prompt: bool | None = None
    ) -> list[ModelVersion]:
        """The latest version of each stage, or of those named, by number. Raises NotFoundError."""

    @abstractmethod
    def get_latest_version(self, name: str, *, prompt: bool | None = None) -> ModelVersion:
        """The version with the highest number, whatever its stage. Raises NotFoundError."""

    @abstractmethod
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
        """Add a version to a registered model.

        Args:
            name: The registered model.
            source: The URI that it was registered from, as it was given. What a `models:/` URI means is settled now.
            run_id: The run that made the model.
            tags: Its first tags.
            run_link: Where that run can be looked at.
            description: What it is.
            model_id: The logged model that it is.
            storage_location: Where the artifacts are, where the store cannot know what `source` means; at `source` by
                default.
            create_model: Make the registered model in the same transaction where there is none.
            model_tags: The tags of a registered model that is made for it. A prompt that is there gets them too, where
                `create_model` is True; those in its tag `_mlflow_experiment_ids` stay.
            model_description: What a registered model is that is made for it.
            prompt: What the name must be; see above. A model that is made for it is a prompt where this is True.

        Raises:
            NotFoundError: no such registered model, and `create_model` is False; nothing at a source `models:/…`.
            AlreadyExistsError: `create_model` is True, and the name is one of what `prompt` says it must not be.
        """

    @abstractmethod
    def get_model_version(self, name: str, version: str, *, prompt: bool | None = None) -> ModelVersion:
        """One version. Raises NotFoundError."""

    @abstractmethod
    def update_model_version(self, name: str, version: str, *, description: str | None = None) -> ModelVersion:
        """Set the description of a version. Raises NotFoundError, InvalidParameterError where there is none."""

    @abstractmethod
    def transition_model_version_stage(
        self, name: str, version: str, stage: str, *, archive_existing_versions: bool = False
    ) -> ModelVersion:
        """Move a version to a stage, and others out of it. Raises NotFoundError, InvalidParameterError."""

    @abstractmethod
    def delete_model_version(self, name: str, version: str, *, prompt: bool | None = None) -> None:
        """Delete a version with its tags and the aliases that mean it. Raises NotFoundError."""

    @abstractmethod
    def get_model_version_download_uri(self, name: str, version: str) -> str:
        """Where the artifacts of a version are. Raises NotFoundError."""

    @abstractmethod
    def search_model_versions(
        self,
        *,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 10_000,
        page_token: str | None = None,
    ) -> Page[ModelVersion]:
        """One page of the versions that match, by default the last updated first."""

    @abstractmethod
    def set_model_version_tag(
        self, name: str, version: str, key: str, value: str, *, prompt: bool | None = None
    ) -> None:
        """Set a tag of a version. Raises NotFoundError."""

    @abstractmethod
    def delete_model_version_tag(self, name: str, version: str, key: str, *, prompt: bool | None = None) -> None:
        """Delete a tag of a version; one that is not there is no error, as in MLflow. Raises NotFoundError."""

    @abstractmethod
    def link_prompt_to_experiment(self, name: str, experiment_id: str) -> None:
        """Say of a prompt, in its tag `_mlflow_experiment_ids`, that an experiment uses it. Raises NotFoundError."""


class WebhookStore(ABC):
    """Webhooks: addresses that hear of what happens in the registry of a workspace."""

    @abstractmethod
    def create_webhook(
        self,
        name: str,
        url: str,
        events: Sequence[WebhookEvent],
        *,
        description: str | None = None,
        secret: str | None = None,
        status: WebhookStatus = WebhookStatus.ACTIVE,
    ) -> Webhook:
        """Create a webhook. Raises InvalidParameterError for an address or a name that is not allowed.

        Events are kept each once, sorted by entity and action, as MLflow has them. An empty secret is none. The secret
        never comes back.
        """

    @abstractmethod
    def get_webhook(self, webhook_id: str) -> Webhook:
        """One webhook, without its secret. Raises NotFoundError."""

    @abstractmethod
    def list_webhooks(self, *, max_results: int | None = None, page_token: str | None = None) -> Page[Webhook]:
        """One page of the webhooks, the newest first: 1 to 1,000, by default (also for 0) 100."""

    @abstractmethod
    def update_webhook(
        self,
        webhook_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        url: str | None = None,
        events: Sequence[WebhookEvent] | None = None,
        secret: str | None = None,
        status: WebhookStatus | None = None,
    ) -> Webhook:
        """Change a webhook; None leaves what it is. Raises NotFoundError, InvalidParameterError.

        An empty description is one, an empty secret takes the secret away.
        """

    @abstractmethod
    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook, and what it is still to be told. Raises NotFoundError."""

    @abstractmethod
    def test_webhook(self, webhook_id: str, event: WebhookEvent | None = None) -> WebhookTestResult:
        """Call a webhook with an example of an event, by default of its first one. Raises NotFoundError."""

    def deliver_webhooks(self, timeout_s: float) -> int:
        """Tell webhooks what they are still to be told, waiting so long at most; how many calls succeeded.

        A store tells them by itself after each change. This is for what is left by processes that have ended. A store
        that leaves it to its server does nothing.
        """
        del timeout_s
        return 0

    def count_undelivered(self) -> int:
        """How many calls of webhooks, of all workspaces, are still to be made; 0 where a server sees to them."""
        return 0
