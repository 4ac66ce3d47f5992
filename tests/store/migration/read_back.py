"""What a library answers about all that it has, as plain data, by calls that are the same in MLflow and otflow."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

RUN_FILTERS = (
    "metrics.loss < 0.03",
    "metrics.loss > 0.03 and params.lr = '0.1'",
    "tags.n = '1'",
    "attributes.status = 'FAILED'",
    "datasets.name = 'rows'",
    "attributes.run_name LIKE 'run %'",
)
TRACE_FILTERS = (
    "status = 'ERROR'",
    "tags.env = 'prod'",
    "metadata.`mlflow.trace.session` = 's-1'",
    "span.name = 'llm'",
    "span.type = 'RETRIEVER'",
    "feedback.good = 'true'",
    "expectation.wanted LIKE '%'",
    "trace.client_request_id = 'req-one'",
)
MODEL_FILTERS = ("name = 'ready'", "metrics.accuracy > 0.6", "params.p LIKE 'z%'")
_COMPUTED = ("mlflow.trace.sizeBytes", "mlflow.trace.sizeStats")


def read(client: Any, *, is_directory: bool = False) -> dict[str, Any]:
    """All that there is."""
    experiments = client.search_experiments(view_type=3)
    found: dict[str, Any] = {"experiments": {}, "runs": {}, "models": {}, "traces": {}, "searches": {}}
    for one in experiments:
        found["experiments"][one.experiment_id] = {
            "name": one.name,
            "artifact_location": None if one.experiment_id == "0" else one.artifact_location,
            "stage": one.lifecycle_stage,
            "created": None if one.experiment_id == "0" else one.creation_time,
            "updated": None if one.experiment_id == "0" else one.last_update_time,
            "tags": dict(one.tags),
        }
        for run in client.search_runs([one.experiment_id], run_view_type=3):
            found["runs"][run.info.run_id] = _run(client, run)
    ids = [one.experiment_id for one in experiments]
    for model in client.search_logged_models(ids):
        found["models"][model.model_id] = _model(model)
    for trace in client.search_traces(locations=ids):
        found["traces"][trace.info.trace_id] = _trace(client.get_trace(trace.info.trace_id))
    found["registry"] = _registry(client)
    _search(client, ids, found["searches"], is_directory)
    return json.loads(json.dumps(found, sort_keys=True).replace("\\u0000", "\\u2400"))


def _search(client: Any, ids: list[str], found: dict[str, Any], is_directory: bool) -> None:
    for text in (None, *RUN_FILTERS):
        found[f"runs: {text}"] = [run.info.run_id for run in client.search_runs(ids, text or "")]
    found["runs by metric"] = [run.info.run_id for run in client.search_runs(ids, order_by=["metrics.loss ASC"])]
    for text in (None,) if is_directory else (None, *TRACE_FILTERS):
        traces = client.search_traces(locations=ids, filter_string=text, order_by=["timestamp_ms DESC"])
        found[f"traces: {text}"] = sorted(trace.info.trace_id for trace in traces)
    for text in (None, *MODEL_FILTERS):
        found[f"models: {text}"] = sorted(model.model_id for model in client.search_logged_models(ids, text))


def _registry(client: Any) -> dict[str, Any]:
    is_prompt = "tag.`mlflow.prompt.is_prompt` = 'true'"
    models = client.search_registered_models()
    prompts = client.search_registered_models(filter_string=is_prompt)
    found: dict[str, Any] = {"models": [one.name for one in models], "prompts": [one.name for one in prompts]}
    for one in (*models, *prompts):
        of_model = one in models
        found[one.name] = {
            "description": one.description,
            "tags": _without_kind(one.tags),
            "aliases": {alias: str(version) for alias, version in one.aliases.items()},
            "times": [one.creation_timestamp, one.last_updated_timestamp],
            "latest": sorted([version.current_stage, str(version.version)] for version in one.latest_versions),
        }
        more = "" if of_model else f" and {is_prompt}"
        for version in client.search_model_versions(f"name = '{one.name}'{more}"):
            found[f"{one.name}/{version.version}"] = {
                "description": version.description,
                "stage": version.current_stage,
                "source": version.source,
                "run": version.run_id or None,
                "model": version.model_id,
                "status": version.status,
                "times": [version.creation_timestamp, version.last_updated_timestamp],
                "tags": _without_kind(version.tags),
                "artifacts": client.get_model_version_download_uri(one.name, version.version) if of_model else None,
            }
        for alias in one.aliases if of_model else ():
            found[f"{one.name}@{alias}"] = str(client.get_model_version_by_alias(one.name, alias).version)
    return found


def _without_kind(tags: Any) -> dict[str, str]:
    # MLflow hides it from some of its answers.
    return {key: value for key, value in (tags or {}).items() if key != "mlflow.prompt.is_prompt"}


def _number(value: float) -> Any:
    # A directory knows what is infinite; databases hold the largest number instead. SQLite has no -0.0.
    return (
        "nan" if math.isnan(value) else math.copysign(sys.float_info.max, value) if math.isinf(value) else value + 0.0
    )


def _run(client: Any, run: Any) -> dict[str, Any]:
    run = client.get_run(run.info.run_id)
    info = run.info
    return {
        "name": info.run_name,
        "experiment": info.experiment_id,
        "user": info.user_id,
        "status": info.status,
        "times": [info.start_time, info.end_time],
        "stage": info.lifecycle_stage,
        "artifacts": info.artifact_uri,
        "params": dict(run.data.params),
        "tags": dict(run.data.tags),
        "metrics": {key: _number(value) for key, value in run.data.metrics.items()},
        "histories": {
            key: sorted(
                [str(_number(point.value)), point.timestamp, point.step]
                for point in client.get_metric_history(info.run_id, key)
            )
            for key in run.data.metrics
        },
        "datasets": sorted(
            [
                one.dataset.name, one.dataset.digest, one.dataset.source_type, one.dataset.source, one.dataset.schema,
                one.dataset.profile, sorted([tag.key, tag.value] for tag in one.tags),
            ]
            for one in run.inputs.dataset_inputs
        ),
        "used": sorted(one.model_id for one in run.inputs.model_inputs),
        "made": sorted([one.model_id, one.step] for one in run.outputs.model_outputs),
    }  # fmt: skip


def _model(model: Any) -> dict[str, Any]:
    return {
        "experiment": model.experiment_id,
        "name": model.name,
        "artifacts": model.artifact_location,
        "times": [model.creation_timestamp, model.last_updated_timestamp],
        "type": model.model_type,
        "run": model.source_run_id,
        "status": str(model.status),
        "tags": dict(model.tags or {}),
        "params": dict(model.params or {}),
        "metrics": sorted(
            [
                one.key,
                _number(one.value),
                one.timestamp,
                one.step,
                one.run_id,
                str(one.dataset_name),
                str(one.dataset_digest),
            ]
            for one in model.metrics or ()
        ),
    }


def _trace(trace: Any) -> dict[str, Any]:
    info = trace.info.to_dict()
    info["assessments"] = {one["assessment_id"]: {"valid": True, **one} for one in info.get("assessments", ())}
    info["trace_metadata"] = {key: text for key, text in info["trace_metadata"].items() if key not in _COMPUTED}
    info["tags"] = {key: text for key, text in info["tags"].items() if key != "mlflow.trace.spansLocation"}
    spans = [span.to_dict() for span in trace.data.spans]
    for span in spans:
        span["attributes"] = {key: json.loads(text) for key, text in span["attributes"].items()}
    return {"info": info, "spans": {span["span_id"]: span for span in spans}}
