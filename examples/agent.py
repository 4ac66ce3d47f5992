"""Ask an agent about Python, and look at what it did.

The agent (in `docs_agent/`) answers from the documentation strings of the Python that runs it, without a network. Its
answers are scored against the facts that `questions.json` expects; then its traces are searched and printed.

    python examples/agent.py
    python examples/agent.py --ask 'What does Counter.most_common do?'
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import sys
import time
import uuid
from pathlib import Path

from docs_agent import scorers
from docs_agent.assistant import Conversation
from docs_agent.library import STDLIB, Library, NoDocumentsError, load_library
from docs_agent.questions import Question, QuestionsError, Script, first_questions, read_questions
from docs_agent.report import Report

import otflow
from otflow.entities import AssessmentSource, Trace
from otflow.errors import OtflowError

DESCRIPTION = "Ask an agent about Python, and look at what it did."
EXPERIMENT = "docs-agent"
QUESTIONS = Path(__file__).with_name("questions.json")


class NoTraceError(Exception):
    """A question left no trace."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = parse(arguments)
    # A document may hold characters that the terminal cannot show.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    color = sys.stdout.isatty() and not options.no_color and "NO_COLOR" not in os.environ
    try:
        scripts = [] if options.ask else read_questions(options.questions)
        if options.tracking_uri is not None:
            otflow.set_tracking_uri(options.tracking_uri)
        experiment = otflow.set_experiment(EXPERIMENT)
        library = read_library()
        if options.ask:
            ask_one(library, options.ask, color)
        else:
            run = uuid.uuid4().hex[:8]
            answer_all(library, first_questions(scripts, options.limit), run)
            Report(experiment.experiment_id, run, options.trees, color).print()
    except (OtflowError, QuestionsError, NoDocumentsError, NoTraceError) as error:
        print(f"agent.py: error: {error}", file=sys.stderr)
        return 1
    print(f"\nThe traces are in the experiment {EXPERIMENT!r} of {otflow.get_tracking_uri()}", flush=True)
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="agent.py", description=DESCRIPTION)
    parser.add_argument("--tracking-uri", metavar="URI", help="where traces go (default: otflow.db in this directory)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--ask", metavar="QUESTION", type=text, help="answer this question, and print its trace")
    what.add_argument("--questions", metavar="FILE", type=Path, default=QUESTIONS, help="a file like questions.json")
    parser.add_argument("--limit", metavar="N", type=positive, help="answer only the first N questions")
    parser.add_argument("--trees", metavar="N", type=positive, default=1, help="print N traces of each search as trees")
    parser.add_argument("--no-color", action="store_true", help="do not color")
    options = parser.parse_args(arguments)
    if options.ask and options.limit:
        parser.error("argument --limit: not allowed with argument --ask")
    return options


def text(argument: str) -> str:
    if not argument.strip():
        raise argparse.ArgumentTypeError("is empty")
    return argument.strip()


def positive(argument: str) -> int:
    if not argument.isdecimal() or int(argument) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {argument!r}")
    return int(argument)


def read_library() -> Library:
    begin = time.perf_counter()
    library = load_library()
    print(f"{len(library.documents):,} documents of {STDLIB} indexed in {time.perf_counter() - begin:.1f} s")
    return library


def ask_one(library: Library, question: str, color: bool) -> None:
    print(f"\n{question}\n")
    conversation = Conversation(library, session=uuid.uuid4().hex, user="you", on_text=write)
    asyncio.run(conversation.answer(question))
    print("\n")
    otflow.tracing.print_trace(trace_of(conversation), color=color)


def answer_all(library: Library, scripts: list[Script], run: str) -> None:
    """Hold the conversations, score each answer, and sum up."""
    scores: list[dict[str, float]] = []
    for script in scripts:
        print(f"\n== {script.user} on {script.name} ==")
        session = f"{script.name}-{run}"
        conversation = Conversation(library, session, script.user, {"run": run, "subject": script.name}, write)
        for question in script.questions:
            print(f"\n{question.question}")
            asyncio.run(conversation.answer(question.question))
            print()
            scores.append(annotate(trace_of(conversation), question))
    right = sum(score["correctness"] == 1 for score in scores)
    grounded = sum(score["groundedness"] for score in scores) / len(scores)
    print(f"\n{right} of {len(scores)} answers state all expected facts; mean groundedness {grounded:.2f}")


def trace_of(conversation: Conversation) -> Trace:
    """The trace of the last question."""
    trace = otflow.get_trace(conversation.trace_id) if conversation.trace_id else None
    if trace is None:
        raise NoTraceError("nothing was traced; is tracing disabled, or only a sample of it taken?")
    return trace


def annotate(trace: Trace, question: Question) -> dict[str, float]:
    """Log what the answer should state, how it scores, and what a reviewer says about that."""
    trace_id = trace.info.trace_id
    otflow.log_expectation(
        trace_id=trace_id,
        name="expected_facts",
        value=question.expected_facts,
        source=AssessmentSource("HUMAN", "questions.json"),
    )
    scores = {
        "correctness": scorers.correctness(trace, question.expected_facts),
        "groundedness": scorers.groundedness(trace),
    }
    for name, score in scores.items():
        feedback = otflow.log_feedback(
            trace_id=trace_id,
            name=name,
            value=score.value,
            rationale=score.rationale,
            source=AssessmentSource("CODE", f"docs_agent.scorers.{name}"),
        )
        print(f"    {name} {score.value:.2f}  {score.rationale}")
        review = question.review
        if review and review.scorer == name:
            otflow.override_feedback(
                trace_id=trace_id,
                assessment_id=feedback.assessment_id,
                value=review.value,
                rationale=review.rationale,
                source=AssessmentSource("HUMAN", review.reviewer),
            )
            print(f"    {name} {review.value:.2f}  {review.rationale} ({review.reviewer})")
    return {name: score.value for name, score in scores.items()}


def write(piece: str) -> None:
    print(piece, end="", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # whoever reads the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
