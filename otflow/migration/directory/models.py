"""Logged models of an experiment, and registered models with their versions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from otflow.errors import InvalidParameterError
from otflow.migration.database.models import model_fields
from otflow.migration.database.registry import version_fields
from otflow.migration.database.runs import number
from otflow.migration.directory.files import entries, files_below, pairs, read_text, read_yaml
from otflow.migration.directory.runs import META
from otflow.migration.records import SourceModel, SourceRegistered, SourceVersion, text, texts
from otflow.migration.report import ImportReport
from otflow.store.sql.rows import clean
from otflow.store.workspaces import DEFAULT_WORKSPACE

__all__ = ["logged_models_of", "registered_models_of"]

_VERSION: Final = "version-"


def logged_models_of(folder: str, experiment_id: int, report: ImportReport) -> Iterator[SourceModel]:
    """The logged models of an experiment's directory."""
    for entry in entries(os.path.join(folder, "models")):
        try:
            yield _model(entry.path, experiment_id, report)
        except (InvalidParameterError, LookupError, TypeError, ValueError) as error:
            report.skip("logged models", f"the logged model in {entry.path}", error)


def _model(path: str, experiment_id: int, report: ImportReport) -> SourceModel:
    found = read_yaml(os.path.join(path, META))
    model = SourceModel(
        clean(str(found["model_id"])),
        experiment_id,
        model_fields(
            found.get("name"), found.get("artifact_location"), found.get("creation_timestamp"),
            found.get("last_updated_timestamp"), found["status"], found.get("status_message"),
            found.get("lifecycle_stage"), found.get("model_type"), found.get("source_run_id"),
        ),
        texts(pairs(os.path.join(path, "tags"))),
        texts(pairs(os.path.join(path, "params"))),
    )  # fmt: skip
    for key, file in files_below(os.path.join(path, "metrics")):
        for line in read_text(file).splitlines():
            words = line.split(" ", 4)
            try:
                time_ms, value, step, run_id = int(words[0]), number(words[1]), int(words[2]), words[3]
                # The name may hold blanks, the digest does not.
                name, _, digest = words[4].rpartition(" ") if len(words) > 4 else ("", "", "")
            except (LookupError, ValueError) as error:
                report.skip(
                    "metric points", f"a point of the metric {key!r} of the logged model {model.model_id}", error
                )
                continue
            model.points.append((clean(key), clean(name), clean(digest), run_id, time_ms, step, *value))
    return model


def registered_models_of(folder: str, report: ImportReport) -> Iterator[SourceRegistered]:
    """The registered models of a directory."""
    for entry in entries(folder):
        if not os.path.exists(os.path.join(entry.path, META)):
            continue
        try:
            yield _registered(entry.path, report)
        except (InvalidParameterError, LookupError, TypeError, ValueError) as error:
            report.skip("registered models", f"the registered model in {entry.path}", error)


def _registered(path: str, report: ImportReport) -> SourceRegistered:
    found = read_yaml(os.path.join(path, META))
    created: Any = found.get("creation_timestamp")
    versions: list[SourceVersion] = []
    for entry in entries(path):
        if not entry.name.startswith(_VERSION):
            continue
        try:
            versions.append(_version(entry.path))
        except (InvalidParameterError, LookupError, TypeError, ValueError) as error:
            report.skip("versions", f"the version in {entry.path}", error)
    return SourceRegistered(
        workspace=str(found.get("workspace") or DEFAULT_WORKSPACE),
        name=text(found["name"]) or "",
        created=created,
        fields={
            "description": text(found.get("description")),
            "creation_time_ms": int(created or 0),
            "last_update_time_ms": int(found.get("last_updated_timestamp") or created or 0),
        },
        tags=texts(pairs(os.path.join(path, "tags"))),
        aliases={clean(alias): int(said) for alias, said in pairs(os.path.join(path, "aliases")).items()},
        versions=sorted(versions, key=lambda one: one.version),
    )


def _version(path: str) -> SourceVersion:
    found = read_yaml(os.path.join(path, META))
    found["creation_time_ms"] = found.get("creation_timestamp")
    found["last_update_time_ms"] = found.get("last_updated_timestamp")
    return SourceVersion(int(found["version"]), version_fields(found), texts(pairs(os.path.join(path, "tags"))))
