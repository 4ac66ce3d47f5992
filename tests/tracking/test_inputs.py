"""Datasets and logged models that runs use and make."""

from __future__ import annotations

import pytest

import otflow
from otflow.entities import Dataset, LoggedModelInput, LoggedModelOutput
from otflow.errors import InvalidParameterError

CONTEXT = "mlflow.data.context"
ONE, TWO = (Dataset(name, "12ab", "code", "{}") for name in ("one", "two"))


@pytest.fixture
def run():
    with otflow.start_run() as active:
        yield active.info.run_id


def uses(run_id):
    found = otflow.get_run(run_id).inputs.dataset_inputs
    return {used.dataset.name: {tag.key: tag.value for tag in used.tags} for used in found}


def models(run_id):
    found = otflow.get_run(run_id)
    return (
        [one.model_id for one in found.inputs.model_inputs],
        [(one.model_id, one.step) for one in found.outputs.model_outputs],
    )


class TestLogInput:
    def test_a_dataset(self, run):
        questions = otflow.data.from_dict([{"q": "2 + 2?"}], name="sums")
        otflow.log_input(questions, context="evaluation", tags={"a": 1})
        (used,) = otflow.get_run(run).inputs.dataset_inputs
        assert (used.dataset.name, used.dataset.digest) == (questions.name, questions.digest)
        assert uses(run) == {"sums": {CONTEXT: "evaluation", "a": "1"}}
        found = otflow.search_runs(filter_string="datasets.name = 'sums'", output_format="list")
        assert [one.info.run_id for one in found] == [run]

    def test_without_a_context(self, run):
        otflow.log_input(ONE)
        otflow.log_input(TWO, context="")
        assert uses(run) == {"one": {}, "two": {}}

    def test_what_is_there_is_kept(self, run):
        otflow.log_input(ONE, "training")
        otflow.log_input(ONE, "testing")
        assert uses(run) == {"one": {CONTEXT: "training"}}

    def test_the_context_as_a_tag(self, run):
        otflow.log_input(ONE, tags={CONTEXT: "training"})
        otflow.log_input(TWO, "testing", {CONTEXT: "testing"})
        assert uses(run) == {"one": {CONTEXT: "training"}, "two": {CONTEXT: "testing"}}
        with pytest.raises(InvalidParameterError, match=CONTEXT):
            otflow.log_input(ONE, "training", {CONTEXT: "testing"})

    def test_what_is_refused(self, run):
        for wrong in ("x", 5, {"q": 1}):
            with pytest.raises(InvalidParameterError, match="dataset"):
                otflow.log_input(wrong)
        with pytest.raises(InvalidParameterError, match="dictionary"):
            otflow.log_input(ONE, tags=["a"])
        with pytest.raises(InvalidParameterError, match="LoggedModelInput"):
            otflow.log_input(ONE, model="m-1")
        assert uses(run) == {}

    def test_where_no_run_is_active_one_is_started(self):
        otflow.log_input(ONE)
        started = otflow.active_run().info.run_id
        otflow.end_run()
        assert list(uses(started)) == ["one"]


class TestLogInputs:
    def test_lists(self, run):
        otflow.log_inputs([ONE, None, TWO], ["training", "nothing", None], [None, None, {"k": "v"}])
        assert uses(run) == {"one": {CONTEXT: "training"}, "two": {"k": "v"}}

    def test_a_list_that_is_left_out_is_one_of_none(self, run):
        otflow.log_inputs([ONE], ["training"])
        otflow.log_inputs(datasets=[TWO], tags_list=[{"k": "v"}])
        otflow.log_inputs()
        otflow.log_inputs([], [], [])
        assert uses(run) == {"one": {CONTEXT: "training"}, "two": {"k": "v"}}

    def test_lists_of_different_lengths(self, run):
        for lists in (
            ([ONE, TWO], ["a"], [None, None]),
            ([ONE], ["a"], [None, None]),
            ([ONE], [], [None]),
            (None, ["a"], None),
        ):
            with pytest.raises(InvalidParameterError, match="same length"):
                otflow.log_inputs(*lists)
        assert uses(run) == {}

    def test_with_models(self, run):
        first, second = (otflow.create_external_model(name).model_id for name in "ab")
        otflow.log_inputs([ONE], ["training"], [None], [LoggedModelInput(first), None, LoggedModelInput(second)])
        otflow.log_inputs(models=[LoggedModelInput(first)])
        assert models(run) == ([first, second], [])
        assert uses(run) == {"one": {CONTEXT: "training"}}


class TestLogOutputs:
    def test_models(self, run):
        first, second = (otflow.create_external_model(name).model_id for name in "ab")
        otflow.log_outputs([LoggedModelOutput(first, 0)])
        otflow.log_outputs(models=[LoggedModelOutput(first, 0), LoggedModelOutput(second, 2)])
        otflow.log_outputs()
        assert models(run) == ([], [(first, 0), (second, 2)])

    def test_what_is_refused(self, run):
        with pytest.raises(InvalidParameterError, match="LoggedModelOutput"):
            otflow.log_outputs(["m-1"])
        assert models(run) == ([], [])
