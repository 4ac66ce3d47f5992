"""Runs and logged models as data frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from otflow.entities import LoggedModel, Run
from otflow.files.tables import import_pandas

if TYPE_CHECKING:
    import pandas

__all__ = ["import_pandas", "models_frame", "runs_frame"]

_MODEL_COLUMNS: Final = (
    "artifact_location", "creation_timestamp", "experiment_id", "last_updated_timestamp", "metrics", "model_id",
    "model_type", "name", "params", "source_run_id", "status", "status_message", "tags",
)  # fmt: skip


def runs_frame(runs: Sequence[Run]) -> pandas.DataFrame:
    """Runs as a data frame: a row each, and a column for each metric, param and tag that any of them has.

    A metric that a run does not have is NaN, a param and a tag None.
    """
    pd = import_pandas("search_runs(output_format='pandas')")
    infos = [run.info for run in runs]
    columns: dict[str, Any] = {
        name: [getattr(info, name) for info in infos] for name in ("run_id", "experiment_id", "status", "artifact_uri")
    }
    for name in ("start_time", "end_time"):
        times = pd.to_datetime(pd.Series([getattr(info, name) for info in infos], dtype="float64"), unit="ms", utc=True)
        columns[name] = times.astype("datetime64[ns, UTC]")
    columns.update(_spread("metrics", [run.data.metrics for run in runs], math.nan))
    columns.update(_spread("params", [run.data.params for run in runs], None))
    columns.update(_spread("tags", [run.data.tags for run in runs], None))
    return pd.DataFrame(
        {
            name: values if name.startswith(("metrics.", "start_", "end_")) else pd.Series(values, dtype="object")
            for name, values in columns.items()
        }
    )


def _spread(prefix: str, rows: Sequence[Mapping[str, Any]], missing: Any) -> dict[str, list[Any]]:
    """A column for each key, in the order of their first appearance."""
    keys: dict[str, None] = {}
    for row in rows:
        keys.update(dict.fromkeys(row))
    return {f"{prefix}.{key}": [row.get(key, missing) for row in rows] for key in keys}


def models_frame(models: Sequence[LoggedModel]) -> pandas.DataFrame:
    """Logged models as a data frame: a row each, and a column for each field; metrics, params and tags are one each."""
    pd = import_pandas("search_logged_models(output_format='pandas')")
    return pd.DataFrame(
        {
            name: pd.Series(
                [getattr(model, name) for model in models], dtype="int64" if name.endswith("timestamp") else "object"
            )
            for name in _MODEL_COLUMNS
        }
    )
