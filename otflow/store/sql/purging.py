"""Deleting for good all that is in a workspace: `delete` elsewhere marks experiments, runs and models as deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otflow.store.sql import traces
from otflow.store.sql.connection import Session
from otflow.store.sql.dialect import values
from otflow.store.sql.statements import in_chunks

__all__ = ["delete_all_of"]

_OF_RUN: Final = ("run_tags", "run_params", "run_metrics", "latest_metrics", "run_datasets", "run_models")
_OF_LOGGED_MODEL: Final = ("logged_model_tags", "logged_model_params", "logged_model_metrics")
_OF_REGISTERED_MODEL: Final = (
    "registered_model_tags", "registered_model_aliases", "model_versions", "model_version_tags",
)  # fmt: skip


def delete_all_of(session: Session, workspace: str) -> None:
    """Delete the experiments of a workspace with all that is in them, its registered models, prompts and webhooks."""
    # Locked first: who writes into one of them is done before, or finds it gone.
    experiments = f"SELECT experiment_id FROM experiments WHERE workspace = ? ORDER BY 1{session.dialect.for_update}"
    for (experiment,) in session.all(experiments, (workspace,)):
        _delete_experiment(session, experiment)
    models = [row[0] for row in session.all("SELECT number FROM registered_models WHERE workspace = ?", (workspace,))]
    _delete_hanging(session, _OF_REGISTERED_MODEL, "model", models)
    _delete_hanging(session, ("registered_models",), "number", models)
    hooks = [row[0] for row in session.all("SELECT webhook_id FROM webhooks WHERE workspace = ?", (workspace,))]
    _delete_hanging(session, ("webhook_deliveries", "webhooks"), "webhook_id", hooks)


def _delete_experiment(session: Session, experiment: int) -> None:
    ids = [row[0] for row in session.all("SELECT trace_id FROM traces WHERE experiment_id = ?", (experiment,))]
    if ids:
        traces.delete(session, experiment, None, None, ids)
    runs = session.all("SELECT number, run_id FROM runs WHERE experiment_id = ?", (experiment,))
    _delete_hanging(session, _OF_RUN, "run", [row[0] for row in runs])
    _delete_hanging(session, ("trace_runs",), "run_id", [row[1] for row in runs])
    models = [
        row[0] for row in session.all("SELECT model_id FROM logged_models WHERE experiment_id = ?", (experiment,))
    ]
    _delete_hanging(session, _OF_LOGGED_MODEL, "model_id", models)
    for table in ("runs", "logged_models", "datasets", "experiment_tags", "experiments"):
        session.run(f"DELETE FROM {table} WHERE experiment_id = ?", (experiment,))


def _delete_hanging(session: Session, tables: Sequence[str], column: str, keys: Sequence[object]) -> None:
    for table in tables:
        for chunk in in_chunks(keys, 1):
            session.run(f"DELETE FROM {table} WHERE {column} IN {values(len(chunk), 1)}", list(chunk))
