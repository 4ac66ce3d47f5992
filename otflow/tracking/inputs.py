"""What the active run uses and makes: datasets and logged models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from otflow.client import Client
from otflow.entities import Dataset as DatasetEntity
from otflow.entities import DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput
from otflow.errors import InvalidParameterError
from otflow.semconv import RunKey
from otflow.tracking.runs import active_or_new

if TYPE_CHECKING:
    from otflow.data.dataset import Dataset

__all__ = ["log_input", "log_inputs", "log_outputs"]

_T = TypeVar("_T")


def log_input(
    dataset: Dataset | None = None,
    context: str | None = None,
    tags: dict[str, str] | None = None,
    model: LoggedModelInput | None = None,
) -> None:
    """Record a dataset, or a logged model, that the active run uses; where none is active, one is started.

    Args:
        dataset: The dataset.
        context: What for, such as `"training"`.
        tags: What else is to be said of this use.
        model: A logged model.

    Raises:
        InvalidParameterError: something is not allowed, such as a context and another tag `mlflow.data.context`.

    Example:
        >>> import otflow
        >>> questions = otflow.data.from_dict([{"q": "2 + 2?"}], name="sums")
        >>> with otflow.start_run() as run:
        ...     otflow.log_input(questions, context="evaluation")
        >>> otflow.get_run(run.info.run_id).inputs.dataset_inputs[0].dataset.name
        'sums'
    """
    log_inputs([dataset], [context], [tags], [model])


def log_inputs(
    datasets: list[Dataset | None] | None = None,
    contexts: list[str | None] | None = None,
    tags_list: list[dict[str, str] | None] | None = None,
    models: list[LoggedModelInput | None] | None = None,
) -> None:
    """Record datasets and logged models that the active run uses, all of them or none.

    Args:
        datasets: Datasets; None where there is none.
        contexts: What each is used for; as many as datasets.
        tags_list: What else is to be said of each use; as many as datasets.
        models: Logged models; None where there is none.

    Raises:
        InvalidParameterError: the lists differ in length, or something is not allowed.
    """
    count = len(datasets or ())
    filled = [_filled(some, count) for some in (datasets, contexts, tags_list)]
    if any(len(some) != count for some in filled):
        raise InvalidParameterError(
            "`datasets`, `contexts` and `tags_list` must have the same length:"
            f" they have {', '.join(str(len(some)) for some in filled)}"
        )
    uses = [_use(dataset, context, tags) for dataset, context, tags in zip(*filled, strict=True) if dataset is not None]
    used = [_checked(model, LoggedModelInput) for model in models or () if model is not None]
    scope = active_or_new()
    Client(scope.uri).log_inputs(scope.id, uses, used)


def _filled(values: Sequence[_T | None] | None, count: int) -> Sequence[_T | None]:
    return [None] * count if values is None else values


def _use(dataset: Any, context: str | None, tags: dict[str, str] | None) -> DatasetInput:
    if tags is not None and not isinstance(tags, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"tags of a dataset must be a dictionary, not {tags!r}")
    labels = {str(key): str(value) for key, value in (tags or {}).items()}
    if context:
        tagged = labels.setdefault(RunKey.DATASET_CONTEXT, str(context))
        if tagged != str(context):
            raise InvalidParameterError(
                f"the context {context!r} and the tag {RunKey.DATASET_CONTEXT}, which says {tagged!r}, are one thing"
            )
    entity = dataset if isinstance(dataset, DatasetEntity) else _entity(dataset)
    return DatasetInput(entity, [InputTag(key, value) for key, value in labels.items()])


def _entity(dataset: Any) -> DatasetEntity:
    try:
        make = dataset._to_mlflow_entity  # the name that datasets made for MLflow have
    except AttributeError:
        raise InvalidParameterError(
            f"a dataset of otflow.data is needed, such as otflow.data.from_pandas makes, not {dataset!r}"
        ) from None
    return make()


def _checked(model: Any, kind: type[_T]) -> _T:
    if not isinstance(model, kind):
        raise InvalidParameterError(f"a {kind.__name__} is needed, not {model!r}")
    return model


def log_outputs(models: list[LoggedModelOutput] | None = None) -> None:
    """Record logged models that the active run makes; where none is active, one is started.

    Args:
        models: The models, each with the step it was made at.

    Raises:
        InvalidParameterError: something is not allowed.
    """
    made = [_checked(model, LoggedModelOutput) for model in models or ()]
    scope = active_or_new()
    Client(scope.uri).log_outputs(scope.id, made)
