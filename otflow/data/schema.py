"""The schema of a dataset: the names and types of its columns, or the shapes of its arrays.

The types and their JSON form are MLflow's (3.10.1), found by running it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Any, Final, Generic, TypeVar, cast

from otflow.data.canonical import is_missing
from otflow.errors import InvalidParameterError

__all__ = ["ColSpec", "DataType", "Schema", "TensorDatasetSchema", "TensorSpec", "numpy_type", "type_of", "type_of_all"]


@dataclass(frozen=True)
class DataType:
    """The type of a value.

    Attributes:
        name: `boolean`, `integer` (32 bits), `long`, `float` (32 bits), `double`, `string`, `binary`, `datetime`,
            `any` (where only missing values are seen), `array` or `object` (a dictionary with text keys).
        items: The type of the items of an array.
        properties: Of an object: the type of each value, and whether it is always there, by its key.
    """

    name: str
    items: DataType | None = None
    properties: tuple[tuple[str, DataType, bool], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The type as JSON has it."""
        told: dict[str, Any] = {"type": self.name}
        if self.items is not None:
            told["items"] = self.items.to_dict()
        if self.properties:
            told["properties"] = {key: {**kind.to_dict(), "required": always} for key, kind, always in self.properties}
        return told

    @classmethod
    def from_dict(cls, told: Any) -> DataType:
        """The type that JSON has."""
        items = told.get("items")
        properties: dict[str, Any] = told.get("properties") or {}
        return cls(
            told["type"],
            None if items is None else cls.from_dict(items),
            tuple((key, cls.from_dict(kind), bool(kind.get("required", True))) for key, kind in properties.items()),
        )

    def __repr__(self) -> str:
        if self.items is not None:
            return f"Array({self.items!r})"
        if self.properties:
            return "{" + ", ".join(f"{key}: {kind!r} {_need(is_)}" for key, kind, is_ in self.properties) + "}"
        return self.name


def _need(required: bool) -> str:
    return "(required)" if required else "(optional)"


_BOOLEAN: Final = DataType("boolean")
_INTEGER: Final = DataType("integer")
_LONG: Final = DataType("long")
_FLOAT: Final = DataType("float")
_DOUBLE: Final = DataType("double")
_STRING: Final = DataType("string")
_BINARY: Final = DataType("binary")
_DATETIME: Final = DataType("datetime")
_ANY: Final = DataType("any")

_BY_NUMPY_NAME: Final[dict[str, DataType]] = {
    "bool": _BOOLEAN,
    **dict.fromkeys(("int8", "int16", "int32", "uint8", "uint16"), _INTEGER),
    **dict.fromkeys(("int64", "uint32"), _LONG),
    **dict.fromkeys(("float16", "float32"), _FLOAT),
    "float64": _DOUBLE,
}
_BY_NUMPY_KIND: Final = {"U": _STRING, "S": _BINARY, "M": _DATETIME, "T": _STRING}


_BY_CLASS: Final[tuple[tuple[Any, DataType], ...]] = (
    (bool, _BOOLEAN),
    (int, _LONG),
    (float, _DOUBLE),
    ((bytes, bytearray), _BINARY),
    (date, _DATETIME),
)
_PLAIN: Final[dict[type, DataType]] = {
    bool: _BOOLEAN,
    int: _LONG,
    str: _STRING,
    bytes: _BINARY,
    type(None): _ANY,
    object: _STRING,
}
"""The types of values of exactly these classes. MLflow takes a bare object() for a text."""


class UnknownTypeError(ValueError):
    """Values have no type that a schema can name."""


def numpy_type(dtype: Any) -> DataType:
    """The type of what an array of numpy holds.

    Raises:
        UnknownTypeError: there is none.
    """
    found = _BY_NUMPY_NAME.get(dtype.name) or _BY_NUMPY_KIND.get(dtype.kind)
    if found is None:
        raise UnknownTypeError(f"there is no type for {dtype.name}")
    return found


def type_of(value: object) -> DataType:
    """The type of a value; `any` where it is missing, or empty.

    Raises:
        UnknownTypeError: there is none.
    """
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return plain
    if is_missing(value):
        return _ANY
    if isinstance(value, str):
        return _STRING
    if hasattr(value, "dtype") and hasattr(value, "ndim"):
        return _type_of_numpy(value)
    for classes, found in _BY_CLASS:
        if isinstance(value, classes):
            return found
    if isinstance(value, Mapping):
        return _type_of_object(cast("Mapping[Any, Any]", value))
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return DataType("array", type_of_all(items)) if items else _ANY
    raise UnknownTypeError(f"there is no type for {type(value).__qualname__}")


def _type_of_object(value: Mapping[Any, Any]) -> DataType:
    if not value:
        return _ANY
    if not all(isinstance(key, str) for key in value):
        raise UnknownTypeError("a dictionary has keys that are not text")
    kinds = {key: type_of(item) for key, item in value.items()}
    return DataType("object", None, tuple((key, kinds[key], kinds[key] != _ANY) for key in sorted(kinds)))


def _type_of_numpy(value: Any) -> DataType:
    if value.dtype.kind == "O":
        return type_of(value.tolist())
    found = numpy_type(value.dtype)
    for _ in range(value.ndim):
        found = DataType("array", found)
    return found


def type_of_all(values: Sequence[object]) -> DataType:
    """The type that all values have.

    Raises:
        UnknownTypeError: there is none, or they have several.
    """
    return reduce(_merged, dict.fromkeys(map(type_of, values))) if values else _ANY


def _merged(one: DataType, other: DataType) -> DataType:
    if one == other:
        return one
    if _ANY in (one, other):
        return _at_times(other if one == _ANY else one)
    if one.items is not None and other.items is not None:
        return DataType("array", _merged(one.items, other.items))
    if one.properties and other.properties:
        mine, theirs = ({key: (kind, always) for key, kind, always in each.properties} for each in (one, other))
        both: list[tuple[str, DataType, bool]] = []
        for key in sorted({*mine, *theirs}):
            (kind, always), (kind2, always2) = mine.get(key, (_ANY, False)), theirs.get(key, (_ANY, False))
            both.append((key, _merged(kind, kind2), always and always2))
        return DataType("object", None, tuple(both))
    raise UnknownTypeError(f"values are both {one!r} and {other!r}")


def _at_times(kind: DataType) -> DataType:
    """The type where values are missing at times: then no property of an object is always there."""
    return DataType(kind.name, kind.items, tuple((key, inner, False) for key, inner, _ in kind.properties))


@dataclass(frozen=True, repr=False)
class ColSpec:
    """A column.

    Attributes:
        type: The type of its values.
        name: Its name; most often a text.
        required: Whether there is a value in every row.
    """

    type: DataType
    name: Any = None
    required: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The column as JSON has it."""
        return {**self.type.to_dict(), "name": self.name, "required": self.required}

    @classmethod
    def from_json_dict(cls, **told: Any) -> ColSpec:
        """The column that JSON has."""
        return cls(DataType.from_dict(told), told.get("name"), bool(told.get("required", True)))

    def __repr__(self) -> str:
        return f"{self.name!r}: {self.type!r} {_need(self.required)}"


@dataclass(frozen=True, repr=False)
class TensorSpec:
    """An array.

    Attributes:
        type: What it holds.
        shape: Its shape; -1 where a length may change.
        name: Its name, where it has one.
    """

    type: Any
    shape: tuple[int, ...]
    name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The array as JSON has it."""
        dtype = {"U": "str", "S": "bytes"}.get(self.type.kind, self.type.name)
        told = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": self.shape}}
        return told if self.name is None else {"name": self.name, **told}

    @classmethod
    def from_json_dict(cls, **told: Any) -> TensorSpec:
        """The array that JSON has."""
        import numpy

        spec = told["tensor-spec"]
        return cls(numpy.dtype(spec["dtype"]), tuple(spec["shape"]), told.get("name"))

    def __repr__(self) -> str:
        name = "" if self.name is None else f"{self.name!r}: "
        return f"{name}Tensor({self.type.name!r}, {self.shape!r})"


_Spec = TypeVar("_Spec", ColSpec, TensorSpec)


class Schema(Generic[_Spec]):
    """Columns, or arrays, in their order.

    Args:
        inputs: The columns or arrays; at least one.

    Raises:
        InvalidParameterError: there is none.
    """

    def __init__(self, inputs: Sequence[_Spec]) -> None:
        if not inputs:
            raise InvalidParameterError("a schema without columns is not allowed")
        self.inputs = list(inputs)

    def input_names(self) -> list[Any]:
        """The names; numbers where there are none."""
        return [index if spec.name is None else spec.name for index, spec in enumerate(self.inputs)]

    def input_types(self) -> list[Any]:
        """The types."""
        return [spec.type for spec in self.inputs]

    def input_dict(self) -> dict[Any, _Spec]:
        """The columns by their names."""
        return dict(zip(self.input_names(), self.inputs, strict=True))

    def has_input_names(self) -> bool:
        """Whether there are names."""
        return self.inputs[0].name is not None

    def is_tensor_spec(self) -> bool:
        """Whether arrays are described, not columns."""
        return isinstance(self.inputs[0], TensorSpec)

    def required_input_names(self) -> list[Any]:
        """The names of the columns that have a value in every row."""
        return [name for name, spec in self.input_dict().items() if getattr(spec, "required", True)]

    def optional_input_names(self) -> list[Any]:
        """The names of the columns that have not."""
        return [name for name, spec in self.input_dict().items() if not getattr(spec, "required", True)]

    def to_dict(self) -> list[dict[str, Any]]:
        """The schema as JSON has it."""
        return [spec.to_dict() for spec in self.inputs]

    def to_json(self) -> str:
        """The schema as JSON text."""
        return json.dumps(self.to_dict(), default=_plain)

    @classmethod
    def from_json(cls, json_str: str) -> Schema[Any]:
        """The schema that JSON text describes."""
        return Schema(
            [
                TensorSpec.from_json_dict(**told) if told["type"] == "tensor" else ColSpec.from_json_dict(**told)
                for told in json.loads(json_str)
            ]
        )

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[_Spec]:
        return iter(self.inputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.inputs == cast("Schema[Any]", other).inputs

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return repr(self.inputs)


class TensorDatasetSchema:
    """What the features and the targets of a dataset of arrays look like.

    Args:
        features: The features.
        targets: The targets, where there are any.
    """

    def __init__(self, features: Schema[TensorSpec], targets: Schema[TensorSpec] | None = None) -> None:
        self.features = features
        self.targets = targets

    def to_dict(self) -> dict[str, Any]:
        """The schema as a dictionary; the two parts of it are JSON texts, as MLflow has them."""
        targets = None if self.targets is None else self.targets.to_json()
        return {"mlflow_tensorspec": {"features": self.features.to_json(), "targets": targets}}

    @classmethod
    def from_dict(cls, schema_dict: Mapping[str, Any]) -> TensorDatasetSchema:
        """The schema that `to_dict` described.

        Raises:
            InvalidParameterError: it is no such description.
        """
        told: Any = schema_dict.get("mlflow_tensorspec")
        if told is None:
            raise InvalidParameterError(f"this describes no arrays: {dict(schema_dict)!r}")
        targets: Any = told.get("targets")
        return cls(Schema.from_json(told["features"]), None if targets is None else Schema.from_json(targets))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorDatasetSchema) and self.__dict__ == other.__dict__

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return f"features:\n  {self.features!r}\ntargets:\n  {self.targets!r}\n"


def _plain(value: Any) -> Any:
    """What JSON can hold of a column's name."""
    item: Callable[[], Any] | None = getattr(value, "item", None)
    return item() if item is not None else str(value)
