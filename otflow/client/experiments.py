"""Experiments."""

from __future__ import annotations

from typing import Any

from otflow.client.connected import Connected, string_values
from otflow.entities import Experiment, Page, ViewType

__all__ = ["ExperimentClient"]


class ExperimentClient(Connected):
    """Experiments."""

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: dict[str, Any] | None = None
    ) -> str:
        """Create an experiment and return its id; see `otflow.create_experiment`."""
        return self._store().create_experiment(name, artifact_location=artifact_location, tags=string_values(tags))

    def get_experiment(self, experiment_id: str) -> Experiment:
        """One experiment by its id, deleted ones too. Raises NotFoundError."""
        return self._store().get_experiment(experiment_id)

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """One experiment by its exact name, deleted ones too."""
        return self._store().get_experiment_by_name(name)

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int | None = 1000,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Page[Experiment]:
        """One page of the experiments that match; see `otflow.search_experiments`."""
        return self._store().search_experiments(
            view_type=view_type,
            filter_string=filter_string,
            order_by=order_by,
            max_results=1000 if max_results is None else max_results,
            page_token=page_token,
        )

    def delete_experiment(self, experiment_id: str) -> None:
        """Mark an experiment deleted; `restore_experiment` undoes it. Raises NotFoundError."""
        self._store().delete_experiment(experiment_id)

    def restore_experiment(self, experiment_id: str) -> None:
        """Undo `delete_experiment`. Raises NotFoundError."""
        self._store().restore_experiment(experiment_id)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Rename an experiment. Raises NotFoundError, AlreadyExistsError."""
        self._store().rename_experiment(experiment_id, new_name)

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag on an experiment. Raises NotFoundError."""
        self._store().set_experiment_tags(experiment_id, {key: str(value)})

    def set_experiment_tags(self, experiment_id: str, tags: dict[str, Any]) -> None:
        """Set tags on an experiment, all of them or none. Raises NotFoundError."""
        self._store().set_experiment_tags(experiment_id, string_values(tags))

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Delete a tag of an experiment. Raises NotFoundError."""
        self._store().delete_experiment_tag(experiment_id, key)
