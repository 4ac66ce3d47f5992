"""Logged models."""

from __future__ import annotations

from typing import Any, Literal

from otflow.client.connected import Connected, string_values
from otflow.entities import LoggedModel, LoggedModelStatus, Page
from otflow.errors import InvalidParameterError

__all__ = ["ModelClient"]


class ModelClient(Connected):
    """Logged models."""

    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        """Create a logged model, which is PENDING until `finalize_logged_model`.

        Args:
            experiment_id: The experiment.
            name: Its name, a random one by default; several models may have it.
            source_run_id: The run that it comes from.
            tags: Its first tags.
            params: Its first parameters.
            model_type: What kind of model it is, such as `"agent"`.

        Raises:
            NotFoundError: no such experiment.
            InvalidParameterError: an argument that is not allowed.
        """
        return self._store().create_logged_model(
            experiment_id,
            name=name,
            source_run_id=source_run_id,
            tags=string_values(tags),
            params=string_values(params),
            model_type=model_type,
        )

    def get_logged_model(self, model_id: str) -> LoggedModel:
        """One logged model. Raises NotFoundError."""
        return self._store().get_logged_model(model_id)

    def finalize_logged_model(
        self, model_id: str, status: Literal["READY", "FAILED"] | LoggedModelStatus
    ) -> LoggedModel:
        """Set the state of a logged model, whose artifacts are all there now.

        Raises:
            NotFoundError: no such model.
            InvalidParameterError: no such state.
        """
        try:
            state = LoggedModelStatus(status)
        except ValueError:
            allowed = ", ".join(one.value for one in LoggedModelStatus)
            raise InvalidParameterError(f"{status!r} is not a valid LoggedModelStatus; allowed: {allowed}") from None
        return self._store().finalize_logged_model(model_id, state)

    def delete_logged_model(self, model_id: str) -> None:
        """Delete a logged model. Raises NotFoundError."""
        self._store().delete_logged_model(model_id)

    def set_logged_model_tags(self, model_id: str, tags: dict[str, Any]) -> None:
        """Set tags of a logged model, all of them or none. Raises NotFoundError."""
        self._store().set_logged_model_tags(model_id, string_values(tags))

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Delete a tag of a logged model. Raises NotFoundError."""
        self._store().delete_logged_model_tag(model_id, key)

    def log_model_params(self, model_id: str, params: dict[str, str]) -> None:
        """Set parameters of a logged model, all of them or none; one that is there may not change.

        Raises:
            NotFoundError: no such model.
            InvalidParameterError: a parameter would change, or is not allowed.
        """
        self._store().log_logged_model_params(model_id, string_values(params))

    def search_logged_models(
        self,
        experiment_ids: list[str],
        filter_string: str | None = None,
        datasets: list[dict[str, Any]] | None = None,
        max_results: int | None = None,
        order_by: list[dict[str, Any]] | None = None,
        page_token: str | None = None,
    ) -> Page[LoggedModel]:
        """One page of the logged models that match; see `otflow.search_logged_models`.

        Raises:
            FilterError: the expression is malformed; the message points at the token.
            InvalidParameterError: an argument that is not allowed.
        """
        if not isinstance(experiment_ids, (list, tuple)) or not all(isinstance(one, str) for one in experiment_ids):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"experiment_ids must be a list of strings, not {experiment_ids!r}")
        return self._store().search_logged_models(
            experiment_ids,
            filter_string=filter_string,
            datasets=datasets,
            order_by=order_by,
            max_results=max_results or 100,
            page_token=page_token,
        )
