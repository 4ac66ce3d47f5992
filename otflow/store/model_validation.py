"""What a store accepts of logged models. Messages are those of the released MLflow where it has any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from otflow.entities import LoggedModelStatus
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.search.model_fields import MODEL_FIELDS, ModelField
from otflow.search.tree import Field

__all__ = [
    "MAX_RESULTS",
    "ModelDataset",
    "ModelOrder",
    "absent",
    "check_datasets",
    "check_id",
    "check_name",
    "check_order",
    "check_pairs",
    "check_status",
    "check_unchanged",
]

MAX_RESULTS: Final = 50_000
"""The longest page of a search."""

_NAME_LIMIT: Final = 500
_KEY_LIMIT: Final = 250
_NOT_IN_NAMES: Final = ("/", ":", ".", "%", '"', "'")
"""What MLflow keeps out of names, for the sake of URIs and of filters."""


def absent(model_id: object) -> NotFoundError:
    """The error that says there is no such model."""
    return NotFoundError(f"Logged model with ID '{model_id}' not found.")


def check_id(model_id: object) -> str:
    """The id, if a model may have it."""
    if model_id is None or model_id == "":
        raise InvalidParameterError(f"`model_id` must be a non-empty string, but got {model_id!r}")
    return str(model_id)


def check_name(name: Any) -> str:
    """The name, if a model may have it."""
    if not isinstance(name, str) or not name or any(character in name for character in _NOT_IN_NAMES):
        raise InvalidParameterError(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string and cannot contain the"
            f" following characters: {_NOT_IN_NAMES}"
        )
    if len(name) > _NAME_LIMIT:
        raise InvalidParameterError(
            f"Invalid model name ('{name[:40]}…') provided. It has {len(name)} characters, and may have {_NAME_LIMIT}"
        )
    return name


def check_status(status: Any) -> LoggedModelStatus:
    """The state, if it is one."""
    if isinstance(status, str) and status in LoggedModelStatus.__members__.values():
        return LoggedModelStatus(status)
    raise InvalidParameterError(
        f"Invalid model status: {status!r}. It must be one of {', '.join(str(one) for one in LoggedModelStatus)}"
    )


def check_pairs(parameter: str, given: Any) -> dict[str, str]:
    """Tags or params as texts. As in the released MLflow any key will do, up to a length that can be indexed."""
    if not isinstance(given, Mapping):
        raise InvalidParameterError(f"{parameter} is a dictionary of strings, not {given!r}")
    pairs = {str(key): str(value) for key, value in cast("Mapping[Any, Any]", given).items()}
    for key in pairs:
        if len(key) > _KEY_LIMIT:
            raise InvalidParameterError(
                f"Invalid key '{key[:40]}…' in {parameter}: it has {len(key)} characters, and may have {_KEY_LIMIT}"
            )
    return pairs


def check_unchanged(there: Mapping[str, str], given: Mapping[str, str], model_id: object) -> None:
    """Whether params that are there keep their values."""
    for key, value in there.items():
        if key in given and given[key] != value:
            raise InvalidParameterError(
                f"Changing param values is not allowed. Param with key='{key}' was already logged with"
                f" value='{value}' for model ID='{model_id}'. Attempted logging new value '{given[key]}'."
            )


# -- searching -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelDataset:
    """The datasets that are meant: those of a name, or the one that has the digest too."""

    name: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class ModelOrder:
    """One key of an order of models."""

    field: Field
    key: str
    descending: bool
    dataset: ModelDataset | None


def check_datasets(given: Any) -> list[ModelDataset]:
    """The datasets that conditions on metrics are about; none for all."""
    found: list[ModelDataset] = []
    for one in _dictionaries("datasets", given or (), ("dataset_name", "dataset_digest")):
        if one.get("dataset_name") in (None, ""):
            raise InvalidParameterError("`dataset_name` in the `datasets` clause must be specified.")
        found.append(_dataset("datasets", one))
    return found


def check_order(given: Any) -> list[ModelOrder]:
    """The keys of an order, without those that decide between equals."""
    keys: list[ModelOrder] = []
    members = ("field_name", "ascending", "dataset_name", "dataset_digest")
    for one in _dictionaries("order_by", given or (), members):
        field, key = _field(one.get("field_name"))
        ascending = one.get("ascending", True)
        if not isinstance(ascending, bool):
            raise InvalidParameterError(f"`ascending` in `order_by` is True or False, not {ascending!r}")
        dataset = _dataset("order_by", one)
        named = dataset.name is not None  # pyright: ignore[reportUnnecessaryComparison]
        if named and field is not ModelField.METRIC:
            raise InvalidParameterError(f"`dataset_name` in `order_by` is for metrics only, not for {field.name}")
        if dataset.digest is not None and not named:
            raise InvalidParameterError("`dataset_digest` in `order_by` is only allowed together with `dataset_name`")
        keys.append(ModelOrder(field, key, not ascending, dataset if named else None))
    return keys


def _dataset(parameter: str, member: Mapping[str, Any]) -> ModelDataset:
    name, digest = member.get("dataset_name"), member.get("dataset_digest")
    for key, value in (("dataset_name", name), ("dataset_digest", digest)):
        if value is not None and not isinstance(value, str):
            raise InvalidParameterError(f"`{key}` in `{parameter}` is a string, not {value!r}")
    return ModelDataset(cast("str", name), digest)


def _field(name: Any) -> tuple[Field, str]:
    """The field that an order names, and the key of a metric."""
    if isinstance(name, str):
        field = MODEL_FIELDS.names.get(name)
        if field is not None:
            return field, ""
        prefix, _, key = name.partition(".")
        if MODEL_FIELDS.prefixes.get(prefix) is ModelField.METRIC and key:
            return ModelField.METRIC, key.strip('`"')
    attributes = ", ".join(dict.fromkeys(field.name for field in MODEL_FIELDS.names.values()))
    raise InvalidParameterError(
        f"Invalid order by field name: {name}. Only metrics are supported, as metrics.<name>, and {attributes}"
    )


def _dictionaries(parameter: str, given: Any, members: Sequence[str]) -> list[Mapping[str, Any]]:
    if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
        raise InvalidParameterError(f"`{parameter}` is a list of dictionaries, not {given!r}")
    checked: list[Mapping[str, Any]] = []
    for one in cast("Sequence[object]", given):
        if not isinstance(one, Mapping):
            raise InvalidParameterError(f"`{parameter}` is a list of dictionaries; {one!r} is none")
        mapping = cast("Mapping[str, Any]", one)
        unknown = [key for key in mapping if key not in members]
        if unknown:
            raise InvalidParameterError(
                f"{unknown[0]!r} means nothing in `{parameter}`; what is allowed: {', '.join(members)}"
            )
        checked.append(mapping)
    return checked
