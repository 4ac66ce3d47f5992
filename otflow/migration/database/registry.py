"""Registered models and prompts with their versions, and webhooks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from otflow.migration.database.tables import Tables
from otflow.migration.records import SourceRegistered, SourceVersion, SourceWebhook, Value, text, texts
from otflow.store.sql.connection import Row
from otflow.store.workspaces import DEFAULT_WORKSPACE

__all__ = ["registered_models", "version_fields", "webhooks"]

_VERSION: Final = (
    "name", "workspace", "version", "description", "user_id", "current_stage", "source", "storage_location", "run_id",
    "run_link", "status", "status_message", "creation_time", "last_updated_time",
)  # fmt: skip


def version_fields(found: Mapping[str, Any]) -> dict[str, Value]:
    """What a row of ours says of a version; the keys are the names of our columns."""
    source, place = text(found.get("source")), text(found.get("storage_location"))
    created = int(found.get("creation_time_ms") or 0)
    return {
        "description": text(found.get("description")),
        "user_id": text(found.get("user_id")),
        "current_stage": str(found.get("current_stage") or "None"),
        "source": source,
        "storage_location": None if place == source else place,
        "run_id": text(found.get("run_id")) or None,
        "run_link": text(found.get("run_link")) or None,
        "model_id": text(found.get("model_id")) or None,
        "status": str(found.get("status") or "READY"),
        "status_message": text(found.get("status_message")),
        "creation_time_ms": created,
        "last_update_time_ms": int(found.get("last_update_time_ms") or created),
    }


def registered_models(tables: Tables) -> Iterator[SourceRegistered]:
    """All registered models and prompts."""
    columns = ("name", "workspace", "description", "creation_time", "last_updated_time")
    for rows in tables.pages("registered_models", columns, size=2**31):
        # All names at once, as several workspaces may have one; what hangs on them is read for some at a time.
        for start in range(0, len(rows), 100):
            yield from _some(tables, rows[start : start + 100])


def _some(tables: Tables, rows: list[Row]) -> Iterator[SourceRegistered]:
    names = sorted({row[0] for row in rows})
    tags: dict[tuple[str, str], dict[str, str]] = {}
    for name, workspace, key, value in tables.of("registered_model_tags", ("name", "workspace", "key", "value"), names):
        tags.setdefault((workspace or DEFAULT_WORKSPACE, name), {})[key] = value
    aliases: dict[tuple[str, str], dict[str, int]] = {}
    for name, workspace, alias, version in tables.of(
        "registered_model_aliases", ("name", "workspace", "alias", "version"), names
    ):
        aliases.setdefault((workspace or DEFAULT_WORKSPACE, name), {})[text(alias) or ""] = int(version)
    version_tags: dict[tuple[str, str, int], dict[str, str]] = {}
    for name, workspace, version, key, value in tables.of(
        "model_version_tags", ("name", "workspace", "version", "key", "value"), names
    ):
        version_tags.setdefault((workspace or DEFAULT_WORKSPACE, name, version), {})[key] = value
    versions: dict[tuple[str, str], list[SourceVersion]] = {}
    for row in tables.of("model_versions", _VERSION, names):
        found: dict[str, Any] = dict(zip(_VERSION, row, strict=True))
        found["creation_time_ms"], found["last_update_time_ms"] = row[-2], row[-1]
        workspace = row[1] or DEFAULT_WORKSPACE
        versions.setdefault((workspace, row[0]), []).append(
            SourceVersion(row[2], version_fields(found), texts(version_tags.get((workspace, row[0], row[2]), {})))
        )
    for name, workspace, description, created, updated in rows:
        place = (workspace or DEFAULT_WORKSPACE, name)
        yield SourceRegistered(
            workspace=place[0],
            name=text(name) or "",
            created=created,
            fields={
                "description": text(description),
                "creation_time_ms": created or 0,
                "last_update_time_ms": updated or created or 0,
            },
            tags=texts(tags.get(place, {})),
            aliases=aliases.get(place, {}),
            versions=sorted(versions.get(place, []), key=lambda one: one.version),
        )


def webhooks(tables: Tables) -> Iterator[SourceWebhook]:
    """All webhooks that are not deleted."""
    events: dict[str, list[str]] = {}
    for an_id, entity, action in tables.all("webhook_events", ("webhook_id", "entity", "action")):
        events.setdefault(an_id, []).append(f"{entity}.{action}")
    columns = (
        "webhook_id", "workspace", "name", "description", "url", "status", "creation_timestamp",
        "last_updated_timestamp", "deleted_timestamp", "secret",
    )  # fmt: skip
    for an_id, workspace, name, description, url, status, created, updated, deleted, secret in tables.all(
        "webhooks", columns, "creation_timestamp"
    ):
        if deleted is not None:
            continue
        yield SourceWebhook(
            webhook_id=str(an_id),
            workspace=workspace or DEFAULT_WORKSPACE,
            fields={
                "name": text(name) or "",
                "description": text(description),
                "url": text(url) or "",
                "events": json.dumps(sorted(events.get(an_id, []))),
                "status": str(status or "ACTIVE"),
                "creation_time_ms": created or 0,
                "last_update_time_ms": updated or created or 0,
            },
            has_secret=bool(secret),
        )
