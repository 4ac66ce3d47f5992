"""All that an import has to bring over, written with the released MLflow, in whose Python this runs."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import (
    AssessmentSource,
    Dataset,
    DatasetInput,
    Document,
    Feedback,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    RunTag,
    SpanEvent,
    SpanType,
)


def experiments(client: MlflowClient, root: str, is_database: bool) -> dict[str, str]:
    made = {
        "agents": client.create_experiment("agents", artifact_location=f"{root}/agents", tags={"team": "Zürich ☃"}),
        "gone": client.create_experiment("gone", artifact_location=f"{root}/gone"),
        "renamed": client.create_experiment("before", artifact_location=f"{root}/renamed"),
    }
    # A directory cannot be asked for a name with quotes.
    client.rename_experiment(
        made["renamed"], "renamed, with: 'quotes' & ünïcode" if is_database else "renamed & ünïcode"
    )
    client.set_experiment_tag(made["agents"], "mlflow.note.content", "a note\nof two lines")
    client.set_experiment_tag("0", "default", "yes")
    return made


def runs(client: MlflowClient, ids: dict[str, str]) -> list[str]:
    made: list[str] = []
    for number in range(4):
        run = client.create_run(
            ids["agents"], start_time=1_700_000_000_000 + number * 7, run_name=f"run {number}", tags={"n": str(number)}
        )
        made.append(run.info.run_id)
        client.log_batch(
            run.info.run_id,
            metrics=[Metric("loss", 1 / (step + 1 + number), 1_700_000_000_000 + step, step) for step in range(30)]
            + [
                Metric("same step", 1.0, 1000, 0),
                Metric("same step", 3.0, 1000, 0),
                Metric("same step", 2.0, 1000, 0),
                Metric("large step", -0.0, 5, 2**62 + number),
                Metric("negative step", 1e-300, 5, -7),
                Metric("not a number", math.nan, 5, 1),
                Metric("infinite", math.inf, 5, 1),
                Metric("minus infinite", -math.inf, 5, 1),
            ],
            params=[Param("lr", "0.1"), Param("a/b c.d-e:f", "ünïcode ☃ 𝄞"), Param("long", "x" * 6000)],
            tags=[RunTag("long", "y" * 8000), RunTag("mlflow.source.name", "train.py"), RunTag("empty", "")],
        )
    client.log_metric(made[0], "late not a number", 1.0, 1, 0)
    client.log_metric(made[0], "late not a number", math.nan, 2, 0)
    client.set_terminated(made[0], "FINISHED", 1_700_000_100_000)
    client.set_terminated(made[1], "FAILED", 1_700_000_100_000)
    client.set_terminated(made[2], "KILLED", 1_700_000_100_000)
    client.delete_run(made[2])
    other = client.create_run(ids["gone"], run_name="in what is deleted")
    client.log_metric(other.info.run_id, "m", 4.0, 4, 4)
    made.append(other.info.run_id)
    default = client.create_run("0", run_name="in Default")
    child = client.create_run("0", run_name="child", tags={"mlflow.parentRunId": default.info.run_id})
    made += [default.info.run_id, child.info.run_id]
    empty = client.create_run(ids["renamed"])
    made.append(empty.info.run_id)
    return made


def datasets(client: MlflowClient, run_ids: list[str]) -> None:
    first = Dataset("rows", "abc12345", "local", json.dumps({"uri": "/data/rows.csv"}), '{"x": "long"}', '{"n": 3}')
    second = Dataset("other", "def67890", "http", json.dumps({"url": "https://example.com/x"}))
    train = [InputTag("mlflow.data.context", "training")]
    client.log_inputs(run_ids[0], datasets=[DatasetInput(first, train), DatasetInput(second, [InputTag("k", "v")])])
    client.log_inputs(run_ids[1], datasets=[DatasetInput(first, [])])


def models(client: MlflowClient, ids: dict[str, str], run_ids: list[str]) -> list[str]:
    ready = client.create_logged_model(
        ids["agents"], name="ready", source_run_id=run_ids[0], tags={"t": "ü"}, params={"p": "z" * 300},
        model_type="agent",
    )  # fmt: skip
    client.finalize_logged_model(ready.model_id, LoggedModelStatus.READY)
    failed = client.create_logged_model(ids["agents"], name="failed")
    client.finalize_logged_model(failed.model_id, LoggedModelStatus.FAILED)
    pending = client.create_logged_model(ids["agents"], name="pending")
    gone = client.create_logged_model(ids["agents"], name="gone")
    client.delete_logged_model(gone.model_id)
    client.log_outputs(run_ids[0], [LoggedModelOutput(ready.model_id, 3)])
    client.log_inputs(run_ids[1], models=[LoggedModelInput(ready.model_id)])
    for step in range(3):
        client.log_metric(
            run_ids[0], "accuracy", 0.5 + step / 10, 1_700_000_000_000 + step, step,
            model_id=ready.model_id, dataset_name="rows", dataset_digest="abc12345",
        )  # fmt: skip
    client.log_metric(run_ids[1], "accuracy", 0.25, 1_700_000_000_000, 1, model_id=ready.model_id)
    return [ready.model_id, failed.model_id, pending.model_id, gone.model_id]


def traces(client: MlflowClient, ids: dict[str, str], run_ids: list[str], is_database: bool) -> list[str]:
    mlflow.set_experiment(experiment_id=ids["agents"])
    made: list[str] = []

    @mlflow.trace(span_type=SpanType.RETRIEVER)
    def retrieve(question: str) -> list[Document]:
        return [Document("a page ☃", {"score": 0.5}, "1")]

    @mlflow.trace(span_type=SpanType.CHAT_MODEL, name="llm", attributes={"temperature": 0.5, "stop": ["a", "b"]})
    def llm(messages: list[dict[str, Any]]) -> dict[str, Any]:
        span = mlflow.get_current_active_span()
        span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15})
        span.add_event(SpanEvent("token", attributes={"text": "a", "n": 1}))
        if "fail" in messages[0]["content"]:
            raise ValueError("it failed ☃")
        return {"content": "answer to " + messages[0]["content"]}

    @mlflow.trace
    def agent(question: str) -> str:
        mlflow.update_current_trace(
            tags={"env": "prod", "ünï": "☃"},
            metadata={"mlflow.trace.session": "s-1", "mlflow.trace.user": "kim", "own": "1"},
            client_request_id=f"req-{question[:20]}",
        )
        retrieve(question)
        return llm([{"role": "user", "content": question}])["content"]

    # PostgreSQL has no NUL: MLflow loses what holds one.
    nul = "" if mlflow.get_tracking_uri().startswith("postgresql") else "\0"
    for question in ("one", f"two {nul} nul", "x" * 3000):
        agent(question)
        made.append(mlflow.get_last_active_trace_id())
    with contextlib.suppress(ValueError):
        agent("fail")
    made.append(mlflow.get_last_active_trace_id())
    with mlflow.start_run(run_id=run_ids[0]):
        agent("in a run")
        made.append(mlflow.get_last_active_trace_id())
    client.set_trace_tag(made[0], "later", "yes")
    if is_database:
        client.link_traces_to_run(made[:2], run_ids[1])
    human = AssessmentSource("HUMAN", "kim")
    mlflow.log_feedback(trace_id=made[0], name="good", value=True, source=human, rationale="ü", metadata={"a": "b"})
    old = mlflow.log_feedback(trace_id=made[0], name="score", value=0.5, source=AssessmentSource("LLM_JUDGE", "gpt"))
    mlflow.override_feedback(trace_id=made[0], assessment_id=old.assessment_id, value=0.75, source=human)
    mlflow.log_feedback(trace_id=made[1], name="broken", error=ValueError("no judge"))
    mlflow.log_expectation(trace_id=made[1], name="wanted", value={"facts": ["a", 1, None]}, source=human)
    mlflow.log_feedback(
        trace_id=made[0], name="list", value=["a", "b"], span_id=mlflow.get_trace(made[0]).data.spans[1].span_id
    )
    return made


def registry(client: MlflowClient, run_ids: list[str], model_ids: list[str], is_database: bool) -> None:
    client.create_registered_model("classifier", tags={"a": "b"}, description="it classifies")
    client.create_model_version("classifier", "/models/1", run_ids[0], tags={"v": "1"}, description="first")
    client.create_model_version("classifier", "/models/2", run_ids[1])
    client.create_model_version("classifier", "/models/3")
    client.delete_model_version("classifier", "2")
    client.transition_model_version_stage("classifier", "1", "Production")
    client.create_model_version("classifier", f"models:/{model_ids[0]}", model_id=model_ids[0])
    client.set_registered_model_alias("classifier", "champion", "1")
    client.set_registered_model_alias("classifier", "next", "3")
    client.create_registered_model("empty")
    if not is_database:
        return
    mlflow.genai.register_prompt("greeting", "Hello {{name}} ☃", commit_message="first", tags={"k": "v"})
    mlflow.genai.register_prompt(
        "greeting", [{"role": "user", "content": "Hi {{name}}"}], response_format=None, tags={"k": "w"}
    )
    mlflow.genai.set_prompt_alias("greeting", "production", 1)


def webhooks(client: MlflowClient) -> None:
    from mlflow.entities.webhook import WebhookStatus

    client.create_webhook(
        "told", "https://93.184.216.34/hook", ["model_version.created", "prompt.created"], description="d",
        secret="hush",
    )  # fmt: skip
    one = client.create_webhook("off", "https://93.184.216.34/off", ["registered_model.created"])
    client.update_webhook(one.webhook_id, status=WebhookStatus.DISABLED)
    gone = client.create_webhook("gone", "https://93.184.216.34/gone", ["registered_model.created"])
    client.delete_webhook(gone.webhook_id)


def client_of(uri: str) -> MlflowClient:
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient(uri, uri)


def first(client: MlflowClient, root: str) -> dict[str, Any]:
    """Write all kinds of things; the ids of some."""
    is_database = "://" in mlflow.get_tracking_uri()
    ids = experiments(client, root, is_database)
    run_ids = runs(client, ids)
    datasets(client, run_ids)
    model_ids = models(client, ids, run_ids)
    made = traces(client, ids, run_ids, is_database)
    registry(client, run_ids, model_ids, is_database)
    if is_database:
        webhooks(client)
    client.delete_experiment(ids["gone"])
    return {"experiments": ids, "runs": run_ids, "models": model_ids, "traces": made}


def second(client: MlflowClient, made: dict[str, Any]) -> None:
    """Change some of it, and add to it."""
    ids, run_ids, model_ids, trace_ids = made["experiments"], made["runs"], made["models"], made["traces"]
    client.rename_experiment(ids["agents"], "agents, renamed")
    client.set_experiment_tag(ids["agents"], "team", "Bern")
    client.restore_experiment(ids["gone"])
    client.set_tag(run_ids[0], "n", "changed in MLflow")
    client.set_tag(run_ids[0], "both", "of MLflow")
    client.delete_tag(run_ids[1], "empty")
    client.log_metric(run_ids[3], "loss", 0.001, 1_700_000_000_500, 500)
    client.log_param(run_ids[3], "late", "1")
    client.set_terminated(run_ids[3], "FINISHED", 1_700_000_200_000)
    client.delete_run(run_ids[1])
    client.restore_run(run_ids[2])
    client.create_run(ids["agents"], run_name="run 4", start_time=1_700_000_000_900)
    client.finalize_logged_model(model_ids[2], LoggedModelStatus.READY)
    client.set_logged_model_tags(model_ids[0], {"t": "changed", "u": "new"})
    client.log_metric(run_ids[0], "accuracy", 0.9, 1_700_000_000_009, 9, model_id=model_ids[0])
    client.set_trace_tag(trace_ids[0], "later", "changed in MLflow")
    client.delete_trace_tag(trace_ids[1], "env")
    score = next(one for one in client.get_trace(trace_ids[0]).info.assessments if one.name == "good")
    mlflow.update_assessment(
        trace_ids[0], score.assessment_id, Feedback(name="good", value=False, rationale="on second thought")
    )
    listed = next(one for one in client.get_trace(trace_ids[0]).info.assessments if one.name == "list")
    mlflow.delete_assessment(trace_ids[0], listed.assessment_id)
    mlflow.log_feedback(trace_id=trace_ids[2], name="good", value=True)
    mlflow.set_experiment(experiment_id=ids["agents"])
    mlflow.trace(lambda x: x, name="later")(1)
    client.set_registered_model_tag("classifier", "a", "changed in MLflow")
    client.delete_registered_model_alias("classifier", "next")
    client.update_model_version("classifier", "1", "described anew")
    client.create_model_version("classifier", "/models/5")
    client.delete_model_version("classifier", "3")
