"""The example agent: what it traces, how it scores, and what it says of bad input."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import otflow
from otflow.entities import Document, Trace

EXAMPLES = Path(__file__).parent.parent / "examples"
QUESTIONS = json.loads((EXAMPLES / "questions.json").read_text(encoding="utf-8"))


def run_agent(directory, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "agent.py"), *arguments],
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.fixture
def agent(monkeypatch):
    """The modules of the example, importable."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from docs_agent import assistant, library, model, planner, questions, report, retrieval, scorers, tools

    class Modules:
        pass

    modules = Modules()
    for module in (assistant, library, model, planner, questions, report, retrieval, scorers, tools):
        setattr(modules, module.__name__.rpartition(".")[2], module)
    return modules


@pytest.fixture
def library(agent):
    return agent.library.load_library()


@pytest.fixture
def ask(agent, library):
    """Asks a question; returns the answer and its trace."""

    def asking(question, conversation=None):
        conversation = conversation or agent.assistant.Conversation(library, "session-1", "ada", {"run": "r-1"})
        answer = asyncio.run(conversation.answer(question))
        return answer, otflow.get_trace(conversation.trace_id)

    return asking


def names(trace, span_type):
    return [span.name for span in trace.search_spans(span_type=span_type)]


def statuses(trace, span_type):
    return [span.status.status_code.value for span in trace.search_spans(span_type=span_type)]


# -- the command


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    done = run_agent(directory)
    assert done.returncode == 0, done.stderr[-4000:]
    return directory, done.stdout


def test_the_run_writes_to_the_embedded_store_by_default(whole_run):
    directory, output = whole_run
    assert (directory / "otflow.db").is_file()
    assert f"The traces are in the experiment 'docs-agent' of sqlite:///{directory}/otflow.db" in output


def test_the_run_leaves_a_trace_for_each_question(whole_run):
    directory, _ = whole_run
    otflow.set_tracking_uri(f"sqlite:///{directory}/otflow.db")
    experiment = otflow.get_experiment_by_name("docs-agent")
    traces = otflow.search_traces(
        locations=[experiment.experiment_id], order_by=["timestamp_ms ASC"], return_type="list"
    )
    asked = [question for script in QUESTIONS["conversations"] for question in script["questions"]]
    assert [trace.data.spans[0].inputs for trace in traces] == [{"question": each["question"]} for each in asked]
    for trace, question in zip(traces, asked, strict=True):
        expectations = trace.search_assessments(type="expectation")
        assert [(each.name, each.value) for each in expectations] == [("expected_facts", question["expected_facts"])]
        feedback = {each.name: each for each in trace.search_assessments(type="feedback")}
        assert set(feedback) == {"correctness", "groundedness"}
        assert all(each.rationale and 0 <= each.value <= 1 for each in feedback.values())
        review = question.get("review")
        if review:
            assert feedback[review["scorer"]].value == review["value"]
            assert feedback[review["scorer"]].source.source_type == "HUMAN"
            assert len(trace.search_assessments(review["scorer"], all=True)) == 2


def test_the_run_has_two_conversations_with_users(whole_run):
    directory, _ = whole_run
    otflow.set_tracking_uri(f"sqlite:///{directory}/otflow.db")
    experiment = otflow.get_experiment_by_name("docs-agent")
    sessions = otflow.search_sessions(locations=[experiment.experiment_id])
    assert sorted(len(session.traces) for session in sessions) == sorted(
        len(script["questions"]) for script in QUESTIONS["conversations"]
    )
    for session in sessions:
        assert len({trace.info.trace_metadata["mlflow.trace.user"] for trace in session.traces}) == 1


def test_the_run_shows_right_and_wrong_answers_and_the_trees_of_what_it_finds(whole_run):
    _, output = whole_run
    right, total = map(int, re.search(r"(\d+) of (\d+) answers state all expected facts", output).groups())
    assert total >= 12
    assert total / 2 < right < total
    for title in ("a tool failed", "miss an expected fact", "is in no document", "was read", "conversation", "median"):
        found = re.search(rf"^(?:Traces|Answers|The last).*{title}.*: (\d+) found by$", output, re.MULTILINE)
        assert found, title
        assert int(found[1]) > 0 or title == "median"
    assert len(re.findall(r"^└─ answer  AGENT  ", output, re.MULTILINE)) >= 5
    assert "overridden" in output
    assert "\x1b" not in output


def test_a_second_run_looks_only_at_its_own_traces(tmp_path):
    for _ in range(2):
        done = run_agent(tmp_path, "--limit", "1", "--tracking-uri", f"sqlite:///{tmp_path}/other.db")
        assert done.returncode == 0, done.stderr
        assert "1 of 1 answers" in done.stdout
        assert "The last conversation: 1 found" in done.stdout
    assert not (tmp_path / "otflow.db").exists()


def test_a_reader_that_has_seen_enough_ends_the_run(tmp_path):
    command = [sys.executable, str(EXAMPLES / "agent.py")]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=300) == 1


def test_asking_one_question(tmp_path):
    done = run_agent(tmp_path, "--ask", "What does Counter.most_common do?")
    assert done.returncode == 0, done.stderr
    assert "List the n most common elements and their counts" in done.stdout
    assert "└─ answer  AGENT  " in done.stdout


def test_a_terminal_without_unicode_is_served(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = run_agent(tmp_path, "--ask", "What does the `with` statement do?")
    assert done.returncode == 0, done.stderr
    assert "`- answer  AGENT  " in done.stdout
    assert done.stdout.isascii()


QUESTION = {"question": "Why?", "expected_facts": ["because"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no file of questions: file: Invalid JSON"),
        ("[]", "file: Input should be an object"),
        ('{"conversations": []}', "conversations: List should have at least 1 item"),
        (
            {"conversations": [{"name": "n", "user": "u", "questions": [QUESTION, {"question": " "}]}]},
            "conversations[0].questions[1].question: String should have at least 1 character",
        ),
        (
            {"conversations": [{"name": "n", "user": "u", "questions": [{**QUESTION, "expected": []}]}]},
            "conversations[0].questions[0].expected: Extra inputs are not permitted",
        ),
    ],
)
def test_a_bad_file_of_questions_is_refused(agent, tmp_path, content, said):
    path = tmp_path / "questions.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(agent.questions.QuestionsError, match=re.escape(said)):
        agent.questions.read_questions(path)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--questions", "absent.json"], 1, "agent.py: error: cannot read 'absent.json': No such file or directory"),
        (["--limit", "0"], 2, "argument --limit: must be a whole number, 1 or more, not '0'"),
        (["--limit", "two"], 2, "not 'two'"),
        (["--ask", "  "], 2, "argument --ask: is empty"),
        (["--ask", "Why?", "--limit", "3"], 2, "argument --limit: not allowed with argument --ask"),
        (["--ask", "Why?", "--questions", "q.json"], 2, "not allowed with argument --ask"),
        (["--tracking-uri", "gopher://here"], 1, "gopher"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, arguments, code, said):
    done = run_agent(tmp_path, *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "otflow.db").exists()


def test_disabled_tracing_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("OTFLOW_TRACING_ENABLED", "false")
    done = run_agent(tmp_path, "--limit", "1")
    assert done.returncode == 1
    assert "nothing was traced; is tracing disabled" in done.stderr


# -- the spans of an answer


def test_the_spans_of_an_answer(ask):
    answer, trace = ask("How do I merge several sorted iterables into one sorted iterator?")
    assert "Merge multiple sorted inputs into a single sorted output. [heapq.merge]" in answer.splitlines()
    assert trace.info.state.value == "OK"
    assert trace.info.tags["run"] == "r-1"
    assert trace.info.trace_metadata["mlflow.trace.session"] == "session-1"
    assert trace.info.trace_metadata["mlflow.trace.user"] == "ada"
    root = trace.data.spans[0]
    assert (root.name, root.span_type, root.outputs) == ("answer", "AGENT", answer)
    assert names(trace, "CHAIN") == ["plan", "research"]
    assert sorted(names(trace, "RETRIEVER")) == ["search_docstrings", "search_names", "search_topics"]
    assert names(trace, "TOOL") == []


def test_retrievers_return_documents_side_by_side(ask):
    _, trace = ask("How do I merge several sorted iterables into one sorted iterator?")
    retrievers = trace.search_spans(span_type="RETRIEVER")
    (research,) = trace.search_spans(name="research")
    assert {span.parent_id for span in retrievers} == {research.span_id}
    for span in retrievers:
        assert 0 < len(span.outputs) <= 8
        for document in span.outputs:
            assert set(document) == {"page_content", "metadata", "id"}
            assert document["metadata"]["doc_uri"] == document["id"].partition("#")[0]
    # Each began before any of them ended.
    assert max(span.start_time_ns for span in retrievers) < min(span.end_time_ns for span in retrievers)


def test_the_model_streams_and_counts(ask, agent):
    answer, trace = ask("How do I merge several sorted iterables into one sorted iterator?")
    (chat,) = trace.search_spans(span_type="CHAT_MODEL")
    assert chat.outputs == {"role": "assistant", "content": answer}
    assert [message["role"] for message in chat.inputs["messages"]] == ["system", "user"]
    assert len(chat.events) == len(re.findall(r"\S+", answer))
    assert chat.get_attribute("mlflow.llm.model") == "extractive-1"
    assert chat.get_attribute("mlflow.llm.provider") == "docs_agent"
    usage = agent.model.token_usage(chat.inputs["messages"], answer)
    assert chat.get_attribute("mlflow.chat.tokenUsage") == usage
    assert trace.info.token_usage == usage
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_a_name_is_looked_up_in_the_wrong_module_first_and_then_in_the_right_one(ask):
    answer, trace = ask("Which parameters does `lru_cache` accept?")
    wrong, right = trace.search_spans(span_type="TOOL")
    assert wrong.inputs == {"module": "builtins", "name": "lru_cache"}
    assert wrong.status.status_code.value == "ERROR"
    assert "module 'builtins' has no attribute 'lru_cache'" in wrong.status.description
    assert right.inputs == {"module": "functools", "name": "lru_cache"}
    assert right.outputs == "functools.lru_cache(maxsize=128, typed=False)"
    assert trace.data.spans[0].status.status_code.value == "OK"
    assert answer.startswith(right.outputs)


def test_it_refers_to_what_the_conversation_was_about(ask, agent, library):
    conversation = agent.assistant.Conversation(library, "s", "u")
    ask("How do I merge several sorted iterables into one sorted iterator?", conversation)
    answer, _ = ask("Which parameters does it accept?", conversation)
    assert "heapq.merge(*iterables, key=None, reverse=False)" in answer


def test_two_names_are_researched_at_the_same_time(ask):
    _, trace = ask("What is the difference between `copy.copy` and `copy.deepcopy`?")
    first, second = trace.search_spans(name="research")
    assert max(first.start_time_ns, second.start_time_ns) < min(first.end_time_ns, second.end_time_ns)


def test_an_expression_is_evaluated(ask):
    answer, _ = ask("What does `textwrap.shorten('Hello  world!', width=11)` return?")
    assert answer.startswith("'Hello [...]' [tool: run_expression]")


def test_examples_of_a_docstring_are_run(ask):
    answer, trace = ask("Show me an example of `statistics.median`.")
    assert statuses(trace, "TOOL") == ["OK", "OK"]
    assert answer.startswith("3 [tool: run_expression]\n4.0 [tool: run_expression]\n")


def test_a_source_is_read(ask):
    answer, _ = ask("How is `shlex.join` implemented?")
    assert re.match(r"shlex\.py, line \d+:\ndef join\(split_command\):\n", answer)


def test_what_has_no_source_fails_and_is_answered_from_documents(ask):
    answer, trace = ask("How is `itertools.chain` implemented?")
    assert statuses(trace, "TOOL") == ["ERROR"]
    assert "[itertools.chain]" in answer


def test_a_question_about_nothing_is_answered_honestly(ask):
    answer, _ = ask("?!")
    assert answer == "The documents do not say."


# -- its parts


@pytest.mark.parametrize(
    ("question", "names", "tools", "expressions"),
    [
        ("How do I merge lists?", [], [], []),
        ("How do I split a command into arguments?", [], [], []),
        ("What are the defaults of json.dumps?", ["json.dumps"], ["lookup_signature"], []),
        ("How is `shlex.join` implemented?", ["shlex.join"], ["read_source"], []),
        ("What does `math.gcd(12, 18)` return?", [], [], ["math.gcd(12, 18)"]),
        ("Which arguments does it take?", ["heapq.merge"], ["lookup_signature"], []),
        ("What does `1 +` mean?", [], [], []),
    ],
)
def test_plans(agent, question, names, tools, expressions):
    plan = agent.planner.make_plan(question, "heapq.merge")
    assert (plan.names, plan.tools, plan.expressions) == (names, tools, expressions)
    assert [name for _, name in plan.searches] == (names or [None])


def test_questions_in_a_row_are_searched_one_by_one(agent):
    plan = agent.planner.make_plan("What is a heap? What is a tree?", None)
    assert plan.searches == [("What is a heap?", None), ("What is a tree?", None)]


def test_words(agent):
    assert agent.retrieval.words("The merged HTTPServer of get_close_matches") == [
        *("merg", "http", "server", "get", "clos", "match")
    ]


def test_the_index_prefers_rare_words_and_short_texts(agent):
    index = agent.retrieval.Index(
        [
            ("long", "otter " + "water " * 50),
            ("short", "otter water"),
            ("other", "water heron"),
            ("none", "stone"),
        ]
    )
    assert [identifier for identifier, _ in index.search("otters in water", 10)] == ["short", "long", "other"]
    assert [identifier for identifier, _ in index.search("otters in water", 1)] == ["short"]
    assert index.search("zebra", 10) == []
    assert index.search("", 10) == []
    assert index.rarity("otter") > index.rarity("water")


def test_the_documents_are_those_of_this_python(library):
    assert len(library.documents) > 3000
    merge = library.documents["heapq.merge"]
    assert merge.page_content.startswith("heapq.merge(*iterables, key=None, reverse=False)\n\nMerge multiple")
    assert merge.metadata == {"module": "heapq", "source": "heapq.py", "kind": "function", "doc_uri": "heapq.merge"}
    assert [document.id for document in library.named("lru_cache")] == ["functools.lru_cache"]
    assert [document.id for document in library.named("sorted")] == ["builtins.sorted"]
    assert library.named("no_such_name") == []


def test_long_texts_become_passages(agent):
    text = "\n\n".join([f"paragraph {n} " + "x" * 900 for n in range(5)])
    passages = list(agent.library.passages("name", text, {"kind": "topic"}))
    assert [passage.id for passage in passages] == ["name", "name#2", "name#3"]
    assert all(passage.metadata == {"kind": "topic", "doc_uri": "name"} for passage in passages)
    joined = "\n".join(passage.page_content for passage in passages)
    assert all(joined.count(f"paragraph {n} ") == 1 for n in range(5))


@pytest.mark.parametrize(
    ("expression", "module", "value"),
    [
        ("sorted({3, 1, 2})", None, "[1, 2, 3]"),
        ("list(merge([1, 3], [2]))", "heapq", "[1, 2, 3]"),
        ("math.floor(2.5)", None, "2"),
        ("[x * 2 for x in range(3)]", None, "[0, 2, 4]"),
        ("(lambda x: x + 1)(1)", None, "2"),
        ("map(abs, [-1, 2])", None, "[1, 2]"),
    ],
)
def test_expressions_are_evaluated(agent, expression, module, value):
    assert agent.tools.run_expression(expression, module) == value


def test_of_an_endless_iterator_the_beginning_is_shown(agent):
    assert agent.tools.run_expression("itertools.count(5)").startswith("[5, 6, 7, ")


@pytest.mark.parametrize(
    ("expression", "module"),
    [
        ("open('/etc/passwd')", None),
        ("os.getcwd()", None),
        ("getcwd()", "os"),
        ("__import__('os')", None),
        ("().__class__.__bases__", None),
        ("_heapify_max([])", "heapq"),
        ("x = 1", None),
        ("1 +", None),
        ("(yield)", None),
        ("undefined + 1", None),
        ("eval('1')", None),
        ("getattr(1, 'real')", None),
    ],
)
def test_other_expressions_are_refused(agent, expression, module):
    with pytest.raises(agent.tools.NotAllowedError):
        agent.tools.run_expression(expression, module)


def test_an_expression_that_raises_is_an_error_of_the_tool(agent):
    with pytest.raises(agent.tools.EvaluationError, match="ZeroDivisionError: division by zero"):
        agent.tools.run_expression("1 / 0")


def test_an_expression_that_takes_too_long_is_stopped(agent, monkeypatch):
    monkeypatch.setattr(agent.tools, "TIMEOUT", 0.3)
    with pytest.raises(TimeoutError, match="took longer than"):
        agent.tools.run_expression("sum(range(10 ** 15))")


# -- the scores


def traced_answer(answer, documents):
    """The trace of an agent that retrieved these documents and gave this answer."""
    with otflow.start_span("answer", span_type="AGENT") as root:
        with otflow.start_span("search", span_type="RETRIEVER") as retriever:
            retriever.set_outputs([Document(page_content=text, id=str(n)) for n, text in enumerate(documents)])
        root.set_outputs(answer)
    trace = otflow.get_trace(root.trace_id)
    assert isinstance(trace, Trace)
    return trace


def test_groundedness_is_the_share_of_statements_in_the_documents(agent):
    trace = traced_answer("Otters\nswim. [a]\nOtters fly. [a]", ["It is said: Otters   swim. And more."])
    score = agent.scorers.groundedness(trace)
    assert score.value == 0.5
    assert score.rationale == "1 of 2 statements stand in the retrieved documents. Not found: Otters fly."


def test_an_answer_without_statements_is_not_grounded(agent):
    assert agent.scorers.groundedness(traced_answer("The documents do not say.", ["x"])).value == 0
    assert agent.scorers.groundedness(traced_answer("", [])).value == 0


def test_correctness_is_the_share_of_expected_facts(agent):
    trace = traced_answer("Otters  SWIM well. [a]", [])
    score = agent.scorers.correctness(trace, ["otters swim", "herons fly", "[a]"])
    assert score.value == pytest.approx(2 / 3)
    assert score.rationale == "2 of 3 expected facts are stated. Missing: herons fly"


def test_every_committed_review_names_a_scorer(agent):
    scripts = agent.questions.read_questions(EXAMPLES / "questions.json")
    reviews = [question.review for script in scripts for question in script.questions if question.review]
    assert reviews
    assert all(callable(getattr(agent.scorers, review.scorer)) for review in reviews)
    assert sum(len(script.questions) for script in scripts) >= 12


@pytest.mark.parametrize(("limit", "sizes"), [(None, [3, 2]), (1, [1]), (3, [3]), (4, [3, 1]), (9, [3, 2])])
def test_the_first_questions(agent, limit, sizes):
    question = agent.questions.Question(**QUESTION)
    scripts = [agent.questions.Script(name=str(size), user="u", questions=[question] * size) for size in (3, 2)]
    assert [len(script.questions) for script in agent.questions.first_questions(scripts, limit)] == sizes
