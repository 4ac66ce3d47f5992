"""Where traces are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

from otflow.entities.reading import reading
from otflow.errors import InvalidParameterError

__all__ = [
    "InferenceTableLocation",
    "MlflowExperimentLocation",
    "TraceLocation",
    "TraceLocationBase",
    "TraceLocationType",
    "UCSchemaLocation",
]


@dataclass
class TraceLocationBase:
    """A place that traces can be kept in."""

    def to_dict(self) -> dict[str, Any]:
        """The place as a dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Any:
        """The place that a dictionary of its fields describes.

        Raises:
            InvalidParameterError: a field is missing.
        """
        with reading(cls.__name__, d):
            return cls(**{field.name: d[field.name] for field in fields(cls)})

    @classmethod
    def from_dictionary(cls, the_dict: Mapping[str, Any]) -> Any:
        """The same as `from_dict`."""
        return cls.from_dict(the_dict)


@dataclass
class MlflowExperimentLocation(TraceLocationBase):
    """An experiment.

    Args:
        experiment_id: Its id.
    """

    experiment_id: str


@dataclass
class InferenceTableLocation(TraceLocationBase):
    """A table of model requests; Databricks only, known here so that such traces can be read.

    Args:
        full_table_name: Catalog, schema and table.
    """

    full_table_name: str


@dataclass
class UCSchemaLocation(TraceLocationBase):
    """A schema of the Unity Catalog; Databricks only, known here so that such traces can be read.

    Args:
        catalog_name: The catalog.
        schema_name: The schema.
    """

    catalog_name: str
    schema_name: str
    _otel_spans_table_name: str | None = "mlflow_experiment_trace_otel_spans"
    _otel_logs_table_name: str | None = "mlflow_experiment_trace_otel_logs"

    @property
    def schema_location(self) -> str:
        """Catalog and schema."""
        return f"{self.catalog_name}.{self.schema_name}"

    @property
    def full_otel_spans_table_name(self) -> str | None:
        """The table of spans, with catalog and schema."""
        return f"{self.schema_location}.{self._otel_spans_table_name}" if self._otel_spans_table_name else None

    @property
    def full_otel_logs_table_name(self) -> str | None:
        """The table of logs, with catalog and schema."""
        return f"{self.schema_location}.{self._otel_logs_table_name}" if self._otel_logs_table_name else None

    def to_dict(self) -> dict[str, Any]:
        """The place as a dictionary."""
        found = {"catalog_name": self.catalog_name, "schema_name": self.schema_name}
        if self._otel_spans_table_name:
            found["otel_spans_table_name"] = self._otel_spans_table_name
        if self._otel_logs_table_name:
            found["otel_logs_table_name"] = self._otel_logs_table_name
        return found

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> UCSchemaLocation:
        with reading(cls.__name__, d):
            location = cls(d["catalog_name"], d["schema_name"])
            location._otel_spans_table_name = d.get("otel_spans_table_name", location._otel_spans_table_name)
            location._otel_logs_table_name = d.get("otel_logs_table_name", location._otel_logs_table_name)
            return location


class TraceLocationType(str, Enum):
    """The kinds of places."""

    TRACE_LOCATION_TYPE_UNSPECIFIED = "TRACE_LOCATION_TYPE_UNSPECIFIED"
    MLFLOW_EXPERIMENT = "MLFLOW_EXPERIMENT"
    INFERENCE_TABLE = "INFERENCE_TABLE"
    UC_SCHEMA = "UC_SCHEMA"


_MEMBERS: dict[str, tuple[TraceLocationType, type[TraceLocationBase]]] = {
    "mlflow_experiment": (TraceLocationType.MLFLOW_EXPERIMENT, MlflowExperimentLocation),
    "inference_table": (TraceLocationType.INFERENCE_TABLE, InferenceTableLocation),
    "uc_schema": (TraceLocationType.UC_SCHEMA, UCSchemaLocation),
}


@dataclass
class TraceLocation:
    """Where a trace is kept: one of the kinds of places.

    Args:
        type: The kind.
        mlflow_experiment: The place, for MLFLOW_EXPERIMENT.
        inference_table: The place, for INFERENCE_TABLE.
        uc_schema: The place, for UC_SCHEMA.

    Raises:
        InvalidParameterError: no such kind, more than one place, or one of another kind.
    """

    type: TraceLocationType
    mlflow_experiment: MlflowExperimentLocation | None = None
    inference_table: InferenceTableLocation | None = None
    uc_schema: UCSchemaLocation | None = None

    def __post_init__(self) -> None:
        try:
            self.type = TraceLocationType(self.type)
        except ValueError:
            raise InvalidParameterError(
                f"{self.type!r} is not a valid TraceLocationType; allowed: {[kind.value for kind in TraceLocationType]}"
            ) from None
        given = [member for member in _MEMBERS if getattr(self, member) is not None]
        if len(given) > 1:
            raise InvalidParameterError(
                "Only one of mlflow_experiment, inference_table, or uc_schema can be provided, "
                f"not {' and '.join(given)}."
            )
        if given and _MEMBERS[given[0]][0] is not self.type:
            raise InvalidParameterError(
                f"Trace location type {self.type} does not match the provided location {getattr(self, given[0])!r}."
            )

    @classmethod
    def from_experiment_id(cls, experiment_id: str) -> TraceLocation:
        """The experiment with this id."""
        return cls(TraceLocationType.MLFLOW_EXPERIMENT, mlflow_experiment=MlflowExperimentLocation(experiment_id))

    @classmethod
    def from_databricks_uc_schema(cls, catalog_name: str, schema_name: str) -> TraceLocation:
        """The schema of the Unity Catalog with this name."""
        return cls(TraceLocationType.UC_SCHEMA, uc_schema=UCSchemaLocation(catalog_name, schema_name))

    def to_dict(self) -> dict[str, Any]:
        """The location as a dictionary."""
        found: dict[str, Any] = {"type": self.type.value}
        for member in _MEMBERS:
            place = getattr(self, member)
            if place is not None:
                found[member] = place.to_dict()
        return found

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> TraceLocation:
        """The location that a dictionary describes.

        Raises:
            InvalidParameterError: not the dictionary of a location; the message says what is missing.
        """
        with reading("TraceLocation", d):
            places = {name: kind.from_dict(d[name]) for name, (_, kind) in _MEMBERS.items() if d.get(name)}
            return cls(type=d["type"], **places)

    @classmethod
    def from_dictionary(cls, the_dict: Mapping[str, Any]) -> TraceLocation:
        """The same as `from_dict`."""
        return cls.from_dict(the_dict)
