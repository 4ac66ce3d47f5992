"""Tags, links and assessments of traces that are stored."""

from __future__ import annotations

import math
from typing import Any

import pytest

from otflow.entities import (
    Assessment,
    AssessmentError,
    AssessmentSource,
    Expectation,
    ExpectationValue,
    Feedback,
    FeedbackValue,
)
from otflow.errors import AlreadyExistsError, InvalidParameterError, NotFoundError
from otflow.semconv import Tag
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests, filtered

__all__ = ["AssessmentContract", "LinkContract", "TagContract"]

_UNKNOWN = "tr-" + "0" * 32
_HUMAN = AssessmentSource("HUMAN", "ada")


class TagContract(ContractTests):
    """`set_trace_tag` and `delete_trace_tag`."""

    def test_set_and_delete(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        store.set_trace_tag(trace_id, "env", "dev")
        store.set_trace_tag(trace_id, "env", "prod")
        assert store.get_trace_info(trace_id).tags["env"] == "prod"
        assert filtered(store, experiment, "tags.env = 'prod'") == ["trace"]
        assert filtered(store, experiment, "tags.env = 'dev'") == []
        store.delete_trace_tag(trace_id, "env")
        assert "env" not in store.get_trace_info(trace_id).tags
        assert filtered(store, experiment, "tags.env = 'prod'") == []

    def test_the_trace_must_exist(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match=_UNKNOWN):
            store.set_trace_tag(_UNKNOWN, "a", "b")
        with pytest.raises(NotFoundError, match=_UNKNOWN):
            store.delete_trace_tag(_UNKNOWN, "a")

    def test_the_tag_must_exist_to_be_deleted(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        with pytest.raises(NotFoundError, match="env"):
            store.delete_trace_tag(trace_id, "env")

    def test_the_name_is_a_tag(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment, "before")
        store.set_trace_tag(trace_id, Tag.NAME, "after")
        assert store.get_trace_info(trace_id).tags[Tag.NAME] == "after"
        assert filtered(store, experiment, "name = 'after'") == ["after"]
        store.delete_trace_tag(trace_id, Tag.NAME)
        assert Tag.NAME not in store.get_trace_info(trace_id).tags
        with pytest.raises(NotFoundError):
            store.delete_trace_tag(trace_id, Tag.NAME)

    def test_what_the_store_makes_up_cannot_be_set(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        before = store.get_trace_info(trace_id).tags
        for key in (Tag.ARTIFACT_LOCATION, Tag.SPANS_LOCATION):
            store.set_trace_tag(trace_id, key, "lie")
            store.delete_trace_tag(trace_id, key)
        assert store.get_trace_info(trace_id).tags == before

    @pytest.mark.parametrize("key", [None, 5, "", ".", "a$b", "a\nb", "/a", "a/../b", "a//b", "k" * 251])
    def test_a_key_has_a_form(self, store: Store, experiment: str, key: Any) -> None:
        trace_id = self.put(store, experiment)
        before = store.get_trace_info(trace_id).tags
        with pytest.raises(InvalidParameterError):
            store.set_trace_tag(trace_id, key, "v")
        assert store.get_trace_info(trace_id).tags == before

    @pytest.mark.parametrize("key", ["k" * 250, "a/b", "a b-c.d:e_f", "é", "mlflow.mine"])
    def test_keys_that_are_allowed(self, store: Store, experiment: str, key: str) -> None:
        trace_id = self.put(store, experiment)
        store.set_trace_tag(trace_id, key, "v")
        assert store.get_trace_info(trace_id).tags[key] == "v"

    def test_a_long_value_is_cut(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        for length, kept in ((8_000, 8_000), (8_001, 8_000), (20_000, 8_000)):
            store.set_trace_tag(trace_id, "long", "v" * length)
            assert store.get_trace_info(trace_id).tags["long"] == "v" * kept
        assert filtered(store, experiment, f"tags.long = '{'v' * 8_000}'") == ["trace"]
        assert filtered(store, experiment, f"tags.long = '{'v' * 7_999}'") == []

    def test_a_value_becomes_a_string(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        values: list[Any] = [5, None, True, {"a": 1}]
        for value in values:
            store.set_trace_tag(trace_id, "k", value)
            assert store.get_trace_info(trace_id).tags["k"] == str(value)


class LinkContract(ContractTests):
    """Links to runs and prompts."""

    def test_link_and_unlink_runs(self, store: Store, experiment: str) -> None:
        first, second = self.put(store, experiment, "first"), self.put(store, experiment, "second")
        store.link_traces_to_run([first, second, first], "run-1")
        store.link_traces_to_run([first], "run-1")
        assert sorted(filtered(store, experiment, "run_id = 'run-1'")) == ["first", "second"]
        store.unlink_traces_from_run([first, _UNKNOWN], "run-1")
        store.unlink_traces_from_run([second], "run-2")
        store.unlink_traces_from_run([], "run-1")
        assert filtered(store, experiment, "run_id = 'run-1'") == ["second"]
        store.link_traces_to_run([], "run-1")

    def test_a_hundred_links_at_once(self, store: Store) -> None:
        ids = [f"tr-{number:032x}" for number in range(101)]
        store.link_traces_to_run(ids[:100], "run-many")
        with pytest.raises(InvalidParameterError, match="100"):
            store.link_traces_to_run(ids, "run-many")
        store.unlink_traces_from_run(ids, "run-many")

    def test_link_prompts(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        store.link_prompts_to_trace(trace_id, [("greeting", "1"), ("farewell", "2")])
        store.link_prompts_to_trace(trace_id, [("greeting", "1"), ("greeting", "2")])
        for prompt in ("greeting/1", "greeting/2", "farewell/2"):
            assert filtered(store, experiment, f"prompt = '{prompt}'") == ["trace"]
        assert filtered(store, experiment, "prompt = 'farewell/1'") == []
        assert store.get_trace_info(trace_id).tags[Tag.LINKED_PROMPTS] == (
            '[{"name": "greeting", "version": "1"}, {"name": "farewell", "version": "2"},'
            ' {"name": "greeting", "version": "2"}]'
        )
        with pytest.raises(NotFoundError):
            store.link_prompts_to_trace(_UNKNOWN, [("greeting", "1")])


class AssessmentContract(ContractTests):
    """Assessments."""

    def test_a_feedback_comes_back(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        given = Feedback(
            name="faith", value=0.9, source=_HUMAN, trace_id=trace_id, rationale="because", metadata={"a": "b"},
            span_id="a" * 16, create_time_ms=123, last_update_time_ms=456,
        )  # fmt: skip
        given.run_id = "run-1"
        made = store.create_assessment(given)
        assert isinstance(made, Feedback)
        assert made.assessment_id is not None
        found = store.get_assessment(trace_id, made.assessment_id)
        assert found.to_dictionary() == made.to_dictionary()
        assert (found.name, found.trace_id, found.span_id, found.run_id) == ("faith", trace_id, "a" * 16, "run-1")
        assert (found.create_time_ms, found.last_update_time_ms, found.valid) == (123, 456, True)
        assert found.feedback is not None
        assert found.feedback.value == 0.9
        assert (found.rationale, found.metadata, found.source) == ("because", {"a": "b"}, _HUMAN)
        assert store.get_trace_info(trace_id).assessments[0].to_dictionary() == found.to_dictionary()

    def test_id_and_times_are_settled(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        made = store.create_assessment(_bare(trace_id, feedback=FeedbackValue(1)))
        assert made.assessment_id is not None
        assert made.assessment_id.startswith("a-")
        assert made.create_time_ms
        assert made.create_time_ms == made.last_update_time_ms

    @pytest.mark.parametrize(
        "value",
        [1, 1.5, "s", "", True, [1, "a", None], {"a": {"b": [1]}}, math.inf, 2**70, "x" * 100_000, "é", "a\0b", [], {}],
    )
    def test_values(self, store: Store, experiment: str, value: Any) -> None:
        trace_id = self.put(store, experiment)
        for given in (
            Feedback(name="v", value=value, source=_HUMAN, trace_id=trace_id),
            Expectation(name="v", value=value, source=_HUMAN, trace_id=trace_id),
        ):
            made = store.create_assessment(given)
            found: Any = store.get_assessment(trace_id, made.assessment_id or "")
            assert found.value == value
            assert type(found.value) is type(value)
            assert type(found) is type(given)

    def test_a_value_that_is_not_a_number(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        given = Feedback(name="v", value={"score": math.nan}, source=_HUMAN, trace_id=trace_id)
        made = store.create_assessment(given)
        found: Any = store.get_assessment(trace_id, made.assessment_id or "")
        assert math.isnan(found.value["score"])
        assert filtered(store, experiment, "feedback.v > 0") == []

    def test_an_error_comes_back(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        error = AssessmentError("TIMEOUT", "too slow", "stack")
        made = store.create_assessment(Feedback(name="e", error=error, source=_HUMAN, trace_id=trace_id))
        found = store.get_assessment(trace_id, made.assessment_id or "")
        assert found.feedback is not None
        assert found.feedback.value is None
        assert found.feedback.error is not None
        assert found.feedback.error.to_dictionary() == error.to_dictionary()

    def test_the_oldest_comes_first(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        for time in (3, 1, 2):
            store.create_assessment(
                Feedback(name=str(time), value=1, source=_HUMAN, trace_id=trace_id, create_time_ms=time)
            )
        assert [one.name for one in store.get_trace_info(trace_id).assessments] == ["1", "2", "3"]

    def test_what_must_exist(self, store: Store, experiment: str) -> None:
        trace_id, other = self.put(store, experiment), self.put(store, experiment)
        made = store.create_assessment(Feedback(name="f", value=1, source=_HUMAN, trace_id=trace_id))
        known = made.assessment_id or ""
        with pytest.raises(NotFoundError, match=_UNKNOWN):
            store.create_assessment(Feedback(name="f", value=1, source=_HUMAN, trace_id=_UNKNOWN))
        for where, an_id in ((trace_id, "a-none"), (other, known), (_UNKNOWN, known)):
            with pytest.raises(NotFoundError):
                store.get_assessment(where, an_id)
            with pytest.raises(NotFoundError):
                store.update_assessment(where, an_id, {"rationale": "r"})
            store.delete_assessment(where, an_id)
        assert store.get_assessment(trace_id, known)

    def test_an_id_is_taken_once(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        for expected in (None, AlreadyExistsError):
            given = Feedback(name="f", value=1, source=_HUMAN, trace_id=trace_id)
            given.assessment_id = f"a-mine-{trace_id}"
            if expected is None:
                assert store.create_assessment(given).assessment_id == given.assessment_id
            else:
                with pytest.raises(expected):
                    store.create_assessment(given)

    def test_one_without_value_or_name_is_refused(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        nameless: Any = None
        with pytest.raises(InvalidParameterError):
            store.create_assessment(_bare(trace_id))
        with pytest.raises(InvalidParameterError):
            store.create_assessment(_bare(trace_id, name=nameless, feedback=FeedbackValue(1)))
        assert store.get_trace_info(trace_id).assessments == []

    # -- changing ----------------------------------------------------------------------------------

    def test_update_changes_what_it_names(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        made = store.create_assessment(
            Feedback(
                name="f", value=1, source=_HUMAN, trace_id=trace_id, rationale="r", metadata={"a": "1", "b": "2"},
                create_time_ms=5, last_update_time_ms=5,
            )
        )  # fmt: skip
        an_id = made.assessment_id or ""
        store.update_assessment(trace_id, an_id, {"feedback": FeedbackValue(2), "rationale": None})
        changed = store.update_assessment(trace_id, an_id, {"name": "g", "metadata": {"a": "9", "c": "3"}})
        assert changed.to_dictionary() == store.get_assessment(trace_id, an_id).to_dictionary()
        assert changed.feedback is not None
        assert (changed.name, changed.feedback.value, changed.rationale) == ("g", 2, "r")
        assert changed.metadata == {"a": "9", "b": "2", "c": "3"}
        assert changed.create_time_ms == 5
        assert changed.last_update_time_ms is not None
        assert changed.last_update_time_ms > 5
        assert filtered(store, experiment, "feedback.g = 2") == ["trace"]
        assert filtered(store, experiment, "feedback.f = 1") == []

    def test_an_error_may_replace_a_value(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        made = store.create_assessment(Feedback(name="f", value=1, source=_HUMAN, trace_id=trace_id))
        changed = store.update_assessment(
            trace_id, made.assessment_id or "", {"feedback": FeedbackValue(None, AssessmentError("E", "m"))}
        )
        assert changed.feedback is not None
        assert changed.feedback.error is not None
        assert (changed.feedback.value, changed.feedback.error.error_code) == (None, "E")

    def test_kinds_do_not_mix(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)
        feedback = store.create_assessment(Feedback(name="f", value=1, source=_HUMAN, trace_id=trace_id))
        expectation = store.create_assessment(Expectation(name="e", value=1, source=_HUMAN, trace_id=trace_id))
        changes: list[tuple[Assessment, dict[str, object]]] = [
            (feedback, {"expectation": ExpectationValue(2), "rationale": "no"}),
            (expectation, {"feedback": FeedbackValue(2)}),
            (feedback, {"source": _HUMAN}),
        ]
        for made, change in changes:
            with pytest.raises(InvalidParameterError):
                store.update_assessment(trace_id, made.assessment_id or "", change)
        assert store.get_assessment(trace_id, feedback.assessment_id or "").rationale is None

    # -- overriding --------------------------------------------------------------------------------

    def test_overriding_and_undoing_it(self, store: Store, experiment: str) -> None:
        trace_id = self.put(store, experiment)

        def make(value: int, overrides: str | None = None) -> str:
            made = store.create_assessment(
                Feedback(name="f", value=value, source=_HUMAN, trace_id=trace_id, overrides=overrides)
            )
            assert made.valid is True
            return made.assessment_id or ""

        def valid() -> list[int]:
            return [one.feedback.value for one in store.get_trace_info(trace_id).assessments
                    if one.feedback is not None and one.valid]  # fmt: skip

        first = make(1)
        second = make(2, overrides=first)
        assert valid() == [2]
        assert filtered(store, experiment, "feedback.f = 1") == []
        assert store.get_assessment(trace_id, second).overrides == first
        third = make(3, overrides=first)
        store.delete_assessment(trace_id, third)
        assert valid() == [2]  # the second still overrides the first
        store.delete_assessment(trace_id, second)
        store.delete_assessment(trace_id, second)
        assert valid() == [1]
        assert filtered(store, experiment, "feedback.f = 1") == ["trace"]
        with pytest.raises(NotFoundError):
            make(4, overrides="a-none")
        assert valid() == [1]


def _bare(trace_id: str, name: str = "bare", **values: Any) -> Assessment:
    return Assessment(name=name, source=_HUMAN, trace_id=trace_id, **values)
