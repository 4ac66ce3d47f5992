"""Rows of the registry to entities, with what hangs on them, in a few statements however many they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from otflow.entities.model_registry import ModelVersion, RegisteredModel
from otflow.store.sql.connection import Row, Session
from otflow.store.sql.dialect import values
from otflow.store.sql.statements import in_chunks, select_in

__all__ = [
    "MODEL_COLUMNS",
    "SELECT_VERSIONS",
    "VERSION_COLUMNS",
    "latest_rows",
    "load_models",
    "load_versions",
]

MODEL_COLUMNS: Final = (
    "m.number", "m.name", "m.description", "m.deployment_job_id", "m.creation_time_ms", "m.last_update_time_ms",
)  # fmt: skip
"""What `load_models` reads, in this order, of `registered_models` as `m`."""
VERSION_COLUMNS: Final = (
    "v.model", "m.name", "v.version", "v.description", "v.user_id", "v.current_stage", "v.source", "v.run_id",
    "v.run_link", "v.model_id", "v.status", "v.status_message", "v.creation_time_ms", "v.last_update_time_ms",
)  # fmt: skip
"""What `load_versions` reads, in this order, of `model_versions` as `v` and `registered_models` as `m`."""
SELECT_VERSIONS: Final = (
    f"SELECT {', '.join(VERSION_COLUMNS)} FROM model_versions v JOIN registered_models m ON m.number = v.model"
)


def load_models(session: Session, workspace: str, rows: Sequence[Row]) -> list[RegisteredModel]:
    """Registered models with their tags, aliases and latest versions.

    Args:
        session: The snapshot that the rows were read in.
        workspace: Where they are.
        rows: Rows that begin with `MODEL_COLUMNS`; what comes after these is ignored.

    Returns:
        The models, in the order of the rows.
    """
    numbers = [row[0] for row in rows]
    tags: dict[int, dict[str, str]] = {}
    aliases: dict[int, dict[str, Any]] = {}
    versions: dict[int, list[ModelVersion]] = {}
    for model, key, value in select_in(
        session, "SELECT model, key, value FROM registered_model_tags WHERE model IN {} ORDER BY model, key", numbers
    ):
        tags.setdefault(model, {})[key] = value
    for model, alias, version in select_in(
        session,
        "SELECT model, alias, version FROM registered_model_aliases WHERE model IN {} ORDER BY model, alias",
        numbers,
    ):
        aliases.setdefault(model, {})[alias] = version
    latest = latest_rows(session, numbers)
    for row, version in zip(latest, load_versions(session, workspace, latest), strict=True):
        versions.setdefault(row[0], []).append(version)
    return [
        RegisteredModel(
            name=row[1],
            creation_timestamp=row[4],
            last_updated_timestamp=row[5],
            description=row[2],
            latest_versions=versions.get(row[0], []),
            tags=tags.get(row[0]),
            aliases=aliases.get(row[0]),
            deployment_job_id=row[3],
            workspace=workspace,
        )
        for row in rows
    ]


def latest_rows(session: Session, models: Sequence[int]) -> list[Row]:
    """The latest version of each stage of models, as `VERSION_COLUMNS`; those of a model by number."""
    rows = select_in(
        session,
        f"{SELECT_VERSIONS} JOIN (SELECT model, MAX(version) AS version FROM model_versions WHERE model IN {{}}"
        " GROUP BY model, current_stage) l ON l.model = v.model AND l.version = v.version",
        models,
    )
    return sorted(rows, key=lambda row: (row[0], row[2]))


def load_versions(session: Session, workspace: str, rows: Sequence[Row]) -> list[ModelVersion]:
    """Versions with all that is known of them, in a few statements however many they are.

    Args:
        session: The snapshot that the rows were read in.
        workspace: Where they are.
        rows: Rows that begin with `VERSION_COLUMNS`; what comes after these is ignored.

    Returns:
        The versions, in the order of the rows.
    """
    keys = [(row[0], row[2]) for row in rows]
    tags: dict[tuple[int, int], dict[str, str]] = {}
    aliases: dict[tuple[int, int], list[str]] = {}
    for model, version, key, value in _tags(session, keys):
        tags.setdefault((model, version), {})[key] = value
    # Of all versions of the models: a model has few aliases.
    for model, version, alias in select_in(
        session,
        "SELECT model, version, alias FROM registered_model_aliases WHERE model IN {} ORDER BY model, alias",
        list({model for model, _ in keys}),
    ):
        aliases.setdefault((model, version), []).append(alias)
    return [
        ModelVersion(
            name=row[1],
            version=row[2],
            creation_timestamp=row[12],
            last_updated_timestamp=row[13],
            description=row[3],
            user_id=row[4],
            current_stage=row[5],
            source=row[6],
            run_id=row[7],
            run_link=row[8],
            model_id=row[9],
            status=row[10],
            status_message=row[11],
            tags=tags.get(key),
            aliases=aliases.get(key),
            workspace=workspace,
        )
        for key, row in zip(keys, rows, strict=True)
    ]


def _tags(session: Session, keys: Sequence[tuple[int, int]]) -> list[Row]:
    """The tags of versions. Each version is looked up in the primary key, which neither database does with IN."""
    rows: list[Row] = []
    for chunk in in_chunks(keys, 2):
        rows += session.all(
            f"SELECT t.model, t.version, t.key, t.value FROM (VALUES {values(2, len(chunk))}) k"
            " CROSS JOIN model_version_tags t WHERE t.model = k.column1 AND t.version = k.column2 ORDER BY t.key",
            [part for key in chunk for part in key],
        )
    return rows
