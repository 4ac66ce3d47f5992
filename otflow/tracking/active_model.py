"""The logged model that is active: traces and metrics are linked to it."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from otflow import config, context
from otflow.client import Client
from otflow.entities import LoggedModel
from otflow.errors import InvalidParameterError
from otflow.search.tree import quote
from otflow.tracking.models import create_external_model, default_experiment

__all__ = ["ActiveModel", "clear_active_model", "get_active_model_id", "log_model_params", "set_active_model"]


class ActiveModel(LoggedModel):
    """A logged model as it was when it became active; at the end of a `with` block the one before is active again.

    Args:
        logged_model: The model, which is active from here on.
    """

    def __init__(self, logged_model: LoggedModel) -> None:
        super().__init__(**{name: value for name, value in logged_model if name != "model_uri"})
        self._before: context.Scope | None = None
        self._scope = context.Scope(self.model_id, context.place(), ended=True)
        self._begin()

    def _begin(self) -> None:
        self.__dict__.update(
            _before=context.model.get(), _scope=context.Scope(self.model_id, self._scope.uri, ended=False)
        )
        context.model.set(self._scope)

    def __enter__(self) -> ActiveModel:
        if self._scope.ended:
            self._begin()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._scope.ended = True
        context.model.set(self._before)


def set_active_model(*, name: str | None = None, model_id: str | None = None) -> ActiveModel:
    """Make a logged model the active one: traces that begin from here on, and metrics, are linked to it.

    It is active in this thread, or in this asyncio task and what it starts, until the end of a `with` block, or until
    another one is set.

    Args:
        name: Its name: the newest of that name in the experiment of the active run, else in the active experiment; one
            is made where there is none, as `create_external_model` does.
        model_id: Its id. A name beside it must be that model's.

    Raises:
        NotFoundError: no such model.
        InvalidParameterError: neither is given, or both and they differ; the name is not allowed.

    Example:
        >>> import otflow
        >>> with otflow.set_active_model(name="support-agent") as model:
        ...     with otflow.start_span("request") as span:
        ...         pass
        >>> [
        ...     trace.info.trace_id == span.trace_id
        ...     for trace in otflow.search_traces(model_id=model.model_id, return_type="list")
        ... ]
        [True]
    """
    if name is None and model_id is None:
        raise InvalidParameterError("Either name or model_id must be provided")
    if model_id is None:
        return ActiveModel(_of_name(name))
    found = Client().get_logged_model(model_id)
    if name is not None and found.name != name:
        raise InvalidParameterError(
            f"LoggedModel with model_id '{model_id}' has name '{found.name}', which does not match the provided name"
            f" '{name}'."
        )
    return ActiveModel(found)


def _of_name(name: Any) -> LoggedModel:
    """The newest model of a name; a new one where there is none."""
    if not isinstance(name, str):
        raise InvalidParameterError(f"the name of a logged model is a string, not {name!r}")
    experiment = default_experiment()
    # The default order: the newest first.
    found = Client().search_logged_models([experiment], f"name = {quote(name)}", max_results=1)
    return found[0] if found else create_external_model(name, experiment_id=experiment)


def clear_active_model() -> None:
    """Make no logged model the active one here, nor the one that the environment names."""
    config.ACTIVE_MODEL_ID.take()
    context.model.set(None)


def get_active_model_id() -> str | None:
    """The id of the logged model that is active here, or that the environment names; None where none is.

    A model that was made active belongs to a thread, and to an asyncio task and what it starts.
    """
    return context.active_model_id() or config.ACTIVE_MODEL_ID.get()


def log_model_params(params: dict[str, str], model_id: str | None = None) -> None:
    """Set parameters of a logged model, all of them or none; one that is there may not change.

    Args:
        params: Names and values; what is no string is kept as one.
        model_id: The model; the active one by default.

    Raises:
        NotFoundError: no such model.
        InvalidParameterError: a parameter would change, or is not allowed; no model is given or active.

    Example:
        >>> import otflow
        >>> with otflow.set_active_model(name="agent") as model:
        ...     otflow.log_model_params({"temperature": 0.2})
        >>> otflow.get_logged_model(model.model_id).params
        {'temperature': '0.2'}
    """
    model = model_id or get_active_model_id()
    if not model:
        raise InvalidParameterError(f"`model_id` must be a non-empty string, but got {model_id!r}: no model is active")
    if not isinstance(params, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"params must be a dictionary, not {params!r}")
    Client().log_model_params(model, params)
