"""Which version of an agent is better? Compare them by run, by model and by their traces.

Two versions of a small support agent answer the same questions. Each version is a logged model, each evaluation a run:
traces made meanwhile belong to both, without a word in the agent's code.

    python examples/compare_versions.py
"""

from __future__ import annotations

from collections.abc import Callable

import otflow
from otflow.entities import AssessmentSource

EXPERIMENT = "support-agent"
HANDBOOK = {
    "refund": "Refunds are paid within 14 days.",
    "password": "Reset your password under Settings, Security.",
    "delivery": "Deliveries take three to five days.",
}
QUESTIONS = {
    "When do I get my refund?": "refund",
    "I forgot my PASSWORD": "password",
    "How long is delivery?": "delivery",
    "Where is my money back from the return?": "refund",
}
Agent = Callable[[str], str]


@otflow.trace(span_type="RETRIEVER")
def look_up(word: str) -> str | None:
    return HANDBOOK.get(word)


@otflow.trace(span_type="AGENT", name="support-agent")
def exact(question: str) -> str:
    """Knows the words of the handbook only, as they are written there."""
    for word in question.rstrip("?").split():
        found = look_up(word)
        if found:
            return found
    return "I do not know."


@otflow.trace(span_type="AGENT", name="support-agent")
def tolerant(question: str) -> str:
    """Knows synonyms, and does not mind capitals."""
    synonyms = {"money": "refund", "shipping": "delivery"}
    for word in question.lower().rstrip("?").split():
        found = look_up(synonyms.get(word, word))
        if found:
            return found
    return "I do not know."


def evaluate(version: str, agent: Agent) -> str:
    """Ask a version all questions in a run of its own; the id of the run."""
    with (
        otflow.start_run(run_name=f"evaluate {version}", tags={"kind": "evaluation"}) as run,
        otflow.set_active_model(name=f"support-agent-{version}") as model,
    ):
        otflow.log_model_params({"version": version, "handbook": str(len(HANDBOOK))})
        right = 0
        for step, (question, topic) in enumerate(QUESTIONS.items(), 1):
            answer = agent(question)
            correct = answer == HANDBOOK[topic]
            right += correct
            otflow.log_feedback(
                trace_id=otflow.get_last_active_trace_id(),
                name="correct",
                value=correct,
                source=AssessmentSource(source_type="CODE", source_id="handbook"),
            )
            otflow.log_metric("accuracy", right / step, step=step)  # of the run, and of the model that is active
        assert otflow.get_active_model_id() == model.model_id
    return run.info.run_id


def main() -> None:
    otflow.set_experiment(EXPERIMENT)
    runs = {version: evaluate(version, agent) for version, agent in (("v1", exact), ("v2", tolerant))}

    print("by run")
    for run in otflow.search_runs(
        filter_string="tags.kind = 'evaluation'", order_by=["metrics.accuracy DESC"], output_format="list"
    ):
        print(f"  {run.info.run_name:12} {run.info.status:9} accuracy {run.data.metrics['accuracy']:.2f}")

    print("by model")
    for model in otflow.search_logged_models(
        order_by=[{"field_name": "metrics.accuracy", "ascending": False}], output_format="list"
    ):
        accuracy = max((point.step, point.value) for point in model.metrics if point.key == "accuracy")[1]
        print(f"  {model.name:18} {model.params['version']:9} accuracy {accuracy:.2f}")

    print("wrong answers, by their traces")
    for version, run_id in runs.items():
        for trace in otflow.search_traces(
            run_id=run_id, filter_string="feedback.correct = 'false'", order_by=["timestamp ASC"], return_type="list"
        ):
            root = trace.data.spans[0]
            print(f"  {version}  {root.inputs['question']!r} -> {root.outputs!r}, {len(trace.data.spans) - 1} look-ups")
    print(f"\nAll of it is in the experiment {EXPERIMENT!r} of {otflow.get_tracking_uri()}")


if __name__ == "__main__":
    main()
