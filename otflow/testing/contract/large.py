"""Long values, long traces, chats that repeat their history, attachments."""

from __future__ import annotations

import base64
import copy
import pickle
import secrets
from typing import Any

import pytest

from otflow.entities import Trace
from otflow.entities.attachment import Attachment, attachment_uris
from otflow.errors import NotFoundError
from otflow.semconv import SpanKey
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests, filtered, new_trace_id, span, write

__all__ = ["LargeContract"]


def _one(trace: Trace) -> Any:
    (only,) = trace.data.spans
    return only


def _pickled(trace: Trace) -> Trace:
    return pickle.loads(pickle.dumps(trace))  # noqa: S301 our own


class LargeContract(ContractTests):
    """What is long is read back to the letter, found, and gone when its trace is."""

    def test_a_long_value_is_read_back_and_found(self, store: Store, experiment: str) -> None:
        words = [f"w{number:05}" for number in range(400_000)]
        inputs = {"text": " ".join(words) + ' the "needle" of it'}
        trace_id = new_trace_id()
        store.write_traces([write(trace_id, experiment, name="long")], [span(trace_id, "s", inputs=inputs)])
        self.put(store, experiment, "short")
        trace = store.get_trace(trace_id)
        assert _one(trace).inputs == inputs
        for pattern in ("%needle%", "%w00001%"):
            assert filtered(store, experiment, f"trace.text LIKE '{pattern}'") == ["long"]
        # Wherever it is cut, a phrase is found.
        for number in range(70_000, 80_000, 999):
            assert filtered(store, experiment, f"trace.text LIKE '%w{number:05} w{number + 1:05}%'") == ["long"]
        assert filtered(store, experiment, "trace.text LIKE '%needles%'") == []
        size = trace.info.trace_metadata["mlflow.trace.sizeBytes"]
        assert int(size) > 2_800_000

    def test_a_copy_has_all_of_a_long_value(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        store.write_traces([write(trace_id, experiment)], [span(trace_id, "s", inputs="x" * 3_000_000)])
        copies = [copy.deepcopy(store.get_trace(trace_id)), _pickled(store.get_trace(trace_id))]
        again = store.get_trace(trace_id).to_dict()
        store.delete_traces(experiment, trace_ids=[trace_id])
        for one in copies:
            assert one.to_dict() == again

    def test_long_events_come_back(self, store: Store, experiment: str) -> None:
        from otflow.entities import SpanEvent

        trace_id = new_trace_id()
        events = [SpanEvent("e", number, {"n": number, "t": "y" * 50}) for number in range(2_000)]
        store.write_traces([write(trace_id, experiment)], [span(trace_id, "s", events=events)])
        assert _one(store.get_trace(trace_id)).events == events

    # -- histories -----------------------------------------------------------------------------------

    @pytest.mark.parametrize("one_trace", [True, False])
    def test_a_chat_that_repeats_its_history(self, store: Store, experiment: str, one_trace: bool) -> None:
        calls = _chat(store, experiment, 16, one_trace=one_trace)
        for trace_id, span_id, messages in calls[:3] + calls[-3:]:
            (found,) = [one for one in store.get_trace(trace_id).data.spans if one.span_id == span_id]
            assert found.inputs == {"messages": messages, "model": "m"}
        everything = store.get_traces([trace_id for trace_id, _, _ in calls])
        spans = {one.span_id: one for trace in everything for one in trace.data.spans}
        for _, span_id, messages in calls:
            assert spans[span_id].inputs == {"messages": messages, "model": "m"}

    def test_a_chat_of_which_parts_are_deleted(self, store: Store, experiment: str) -> None:
        calls = _chat(store, experiment, 16, one_trace=False)
        traces = [trace_id for trace_id, _, _ in calls]
        store.delete_traces(experiment, trace_ids=[*traces[:5], *traces[13:]])
        for trace_id, _, messages in calls[5:13]:
            assert _one(store.get_trace(trace_id)).inputs["messages"] == messages
        store.delete_traces(experiment, trace_ids=traces)
        again = _chat(store, experiment, 5, one_trace=True)
        assert store.get_trace(again[-1][0]).data.spans[-1].inputs == {"messages": again[-1][2], "model": "m"}

    # -- long traces ---------------------------------------------------------------------------------

    def test_the_spans_of_a_long_trace_are_a_sequence(self, store: Store, experiment: str) -> None:
        trace_id = new_trace_id()
        root = span(trace_id, "root", start_ms=0)
        children = [span(trace_id, f"c{number}", parent_id=root.span_id, start_ms=number) for number in range(1_700)]
        store.write_traces([write(trace_id, experiment, name="big")], [*children, root])
        (small,) = [self.put(store, experiment, "small")]
        expected = [root, *children]
        for trace in (store.get_trace(trace_id), store.search_traces([experiment], order_by=["name ASC"])[0]):
            spans = trace.data.spans
            assert len(spans) == 1_701
            assert spans[0].name == "root"
            assert spans[-1].name == "c1699"
            assert [one.name for one in spans[600:603]] == ["c599", "c600", "c601"]
            assert len(spans[10:1_500]) == 1_490
            assert [one.span_id for one in spans] == [one.span_id for one in expected]
            root_span = trace.data.root()
            assert root_span is not None
            assert root_span.span_id == root.span_id
            assert list(spans) == spans
            assert [one.name for one in trace.search_spans(name="c1234")] == ["c1234"]
            assert len(trace.to_dict()["data"]["spans"]) == 1_701
            assert _pickled(trace).data.spans == spans
            with pytest.raises(IndexError):
                spans[1_701]
        assert len(store.get_trace(small).data.spans) == 1

    # -- attachments ---------------------------------------------------------------------------------

    def test_attachments_are_kept_apart_and_once(self, store: Store, experiment: str) -> None:
        drawn, sound = secrets.token_bytes(5_000), secrets.token_bytes(4_001)
        image = Attachment(drawn, "image/png", "cat.png")
        url = f"data:image/png;base64,{base64.b64encode(drawn).decode()}"
        encoded = base64.b64encode(sound).decode()
        parts = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "input_audio", "input_audio": {"data": encoded, "format": "wav"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": encoded}},
        ]
        inputs = {"messages": [{"role": "user", "content": parts}], "given": image}
        ids = [new_trace_id(), new_trace_id()]
        for trace_id in ids:
            store.write_traces([write(trace_id, experiment)], [span(trace_id, "s", inputs=inputs)])
        found = _one(store.get_trace(ids[0]))
        text = found.raw_attributes[SpanKey.INPUTS]
        if encoded in text:  # a store may keep them where they are
            assert found.inputs["messages"] == inputs["messages"]
            return
        assert len(text) < 2_000
        uris = attachment_uris(text)
        assert len(uris) == 4
        for uri in uris:
            assert store.read_attachment(uri[len("otflow-attachment://sha256/") :][:64]) in (image.content, sound)
        store.delete_traces(experiment, trace_ids=ids[:1])
        assert store.read_attachment(image.sha256) == image.content
        store.delete_traces(experiment, trace_ids=ids[1:])
        with pytest.raises(NotFoundError):
            store.read_attachment(image.sha256)
        assert store.collect_garbage() == 0


def _chat(store: Store, experiment: str, turns: int, *, one_trace: bool) -> list[tuple[str, str, list[Any]]]:
    """A chat of which each call repeats the history: trace, span and messages of each call."""
    mark = secrets.token_hex(4)
    messages: list[Any] = [{"role": "system", "content": f"{mark}: be brief. " * 40}]
    calls: list[tuple[str, str, list[Any]]] = []
    shared = new_trace_id()
    for turn in range(turns):
        messages.append({"role": "user", "content": f"{mark} question {turn} " + "what is it? " * 30})
        trace_id = shared if one_trace else new_trace_id()
        call = span(trace_id, "call", start_ms=turn, inputs={"messages": messages, "model": "m"})
        store.write_traces([write(trace_id, experiment)], [call])
        calls.append((trace_id, call.span_id, list(messages)))
        messages.append({"role": "assistant", "content": f"{mark} answer {turn} " + "it is so. " * 40})
    return calls
