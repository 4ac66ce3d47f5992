"""What may be asked of registered models and of their versions: the names of MLflow's search language, and ours."""

from __future__ import annotations

from typing import Final

from otflow.search.tree import Entity, Field, Kind, OrderKey

__all__ = ["REGISTERED_MODEL_FIELDS", "VERSION_FIELDS", "RegisteredModelField", "VersionField"]


class RegisteredModelField:
    """The fields of a registered model."""

    NAME: Final = Field("name", Kind.TEXT)
    DESCRIPTION: Final = Field("description", Kind.TEXT, orderable=False)
    CREATION_TIME: Final = Field("creation_timestamp", Kind.NUMBER)
    LAST_UPDATE_TIME: Final = Field("last_updated_timestamp", Kind.NUMBER)
    TAG: Final = Field("tags", Kind.TEXT, keyed=True, orderable=False)
    ALIAS: Final = Field("aliases", Kind.NUMBER, keyed=True, orderable=False)
    """The number of the version that an alias means."""


class VersionField:
    """The fields of a version."""

    NAME: Final = Field("name", Kind.TEXT)
    NUMBER: Final = Field("version_number", Kind.NUMBER)
    RUN: Final = Field("run_id", Kind.TEXT, orderable=False)
    SOURCE: Final = Field("source_path", Kind.TEXT, orderable=False)
    MODEL: Final = Field("model_id", Kind.TEXT, orderable=False)
    STAGE: Final = Field("current_stage", Kind.TEXT, orderable=False)
    DESCRIPTION: Final = Field("description", Kind.TEXT, orderable=False)
    CREATION_TIME: Final = Field("creation_timestamp", Kind.NUMBER)
    LAST_UPDATE_TIME: Final = Field("last_updated_timestamp", Kind.NUMBER)
    TAG: Final = Field("tags", Kind.TEXT, keyed=True, orderable=False)


def _named(attributes: dict[str, Field]) -> dict[str, Field]:
    """Attributes under their own names and behind the prefixes; MLflow has `attribute.` alone."""
    names = dict(attributes)
    for prefix in ("attribute", "attributes"):
        names.update({f"{prefix}.{name}": field for name, field in attributes.items()})
    return names


_R = RegisteredModelField
_V = VersionField

REGISTERED_MODEL_FIELDS: Final = Entity(
    noun="a registered model",
    names=_named(
        {
            "name": _R.NAME,
            "timestamp": _R.LAST_UPDATE_TIME,
            "last_updated_timestamp": _R.LAST_UPDATE_TIME,
            # Ours
            "creation_timestamp": _R.CREATION_TIME,
            "description": _R.DESCRIPTION,
        }
    ),
    prefixes={
        "tag": _R.TAG,
        "tags": _R.TAG,
        # Ours
        "aliases": _R.ALIAS,
    },
    default_order=(OrderKey(_R.NAME),),
    tie_break=(OrderKey(_R.NAME),),
)

VERSION_FIELDS: Final = Entity(
    noun="a model version",
    names=_named(
        {
            "name": _V.NAME,
            "version_number": _V.NUMBER,
            "run_id": _V.RUN,
            "source_path": _V.SOURCE,
            "creation_timestamp": _V.CREATION_TIME,
            "last_updated_timestamp": _V.LAST_UPDATE_TIME,
            # Ours
            "version": _V.NUMBER,
            "source": _V.SOURCE,
            "model_id": _V.MODEL,
            "current_stage": _V.STAGE,
            "stage": _V.STAGE,
            "description": _V.DESCRIPTION,
        }
    ),
    prefixes={"tag": _V.TAG, "tags": _V.TAG},
    default_order=(OrderKey(_V.LAST_UPDATE_TIME, descending=True),),
    tie_break=(OrderKey(_V.NAME), OrderKey(_V.NUMBER, descending=True)),
)
