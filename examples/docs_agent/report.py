"""What was traced: searched with filters, and printed as trees."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import otflow
from otflow.entities import Trace


@dataclass(frozen=True)
class Search:
    """A search among the traces of this run."""

    title: str
    filter_string: str
    order_by: str = "timestamp_ms ASC"


@dataclass(frozen=True)
class Report:
    """Searches the traces of one run of the example.

    Args:
        experiment_id: The experiment that holds them.
        run: The value of their tag `run`.
        trees: How many traces of each search to print as trees.
        color: Whether to color.
    """

    experiment_id: str
    run: str
    trees: int
    color: bool

    def print(self) -> None:
        """Print the searches; a trace is drawn only where it is found first."""
        drawn: set[str] = set()
        for search in self.searches():
            traces = self.find(search)
            print(f"\n{search.title}: {len(traces)} found by\n    {search.filter_string}\n")
            for trace in traces:
                print(f"  {summary(trace)}")
            fresh = [trace for trace in traces if trace.info.trace_id not in drawn]
            for trace in fresh[: self.trees]:
                drawn.add(trace.info.trace_id)
                print()
                otflow.tracing.print_trace(trace, color=self.color)

    def find(self, search: Search) -> list[Trace]:
        return otflow.search_traces(
            locations=[self.experiment_id],
            filter_string=f"tags.run = '{self.run}' AND {search.filter_string}",
            order_by=[search.order_by],
            return_type="list",
        )

    def searches(self) -> Iterator[Search]:
        everything = self.find(Search("All", "trace.status = 'OK'"))
        yield Search("Traces in which a tool failed", "span.type = 'TOOL' AND span.status = 'ERROR'")
        yield Search("Answers that miss an expected fact", "feedback.correctness < 1")
        yield Search("Answers with a statement that is in no document", "feedback.groundedness < 1")
        session = everything[-1].info.trace_metadata["mlflow.trace.session"]
        yield Search("Traces in which a source was read", "span.name = 'read_source' AND span.status = 'OK'")
        yield Search("The last conversation", f"metadata.`mlflow.trace.session` = '{session}'")
        slow = 2 * statistics.median(trace.info.execution_duration or 0 for trace in everything)
        filter_string = f"trace.execution_time_ms > {slow:.0f}"
        yield Search("Traces that took more than twice the median", filter_string, "execution_time DESC")


def summary(trace: Trace) -> str:
    """A trace in one line: what was asked, how long it took, and its scores as they stand."""
    feedback = trace.search_assessments(type="feedback")  # without what was overridden
    scores = ", ".join(f"{assessment.name} {assessment.value:.2f}" for assessment in feedback)
    question = trace.data.spans[0].inputs["question"]
    return f"{trace.info.execution_duration:>5} ms  {scores:<38}  {question}"
