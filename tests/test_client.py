"""`Client`: the explicit object API."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import otflow
from otflow.entities import NoOpSpan, ViewType
from otflow.errors import AlreadyExistsError, InvalidParameterError, NotFoundError


@pytest.fixture
def client() -> otflow.Client:
    return otflow.Client()


class TestTraces:
    def test_a_trace_from_beginning_to_end(self, client):
        root = client.start_trace("request", span_type="AGENT", inputs={"q": 1}, tags={"t": 1}, attributes={"a": "b"})
        assert otflow.get_current_active_span() is None
        step = client.start_span("step", root.trace_id, root.span_id, span_type="TOOL", inputs=[1])
        client.end_span(step.trace_id, step.span_id, outputs=2, status="ERROR")
        client.end_trace(root.trace_id, outputs="done", attributes={"c": "d"})
        trace = client.get_trace(root.trace_id)
        first, second = trace.data.spans
        assert (first.name, first.span_type, first.inputs, first.outputs) == ("request", "AGENT", {"q": 1}, "done")
        assert (first.attributes["a"], first.attributes["c"]) == ("b", "d")
        assert (second.parent_id, second.outputs, second.status.status_code) == (first.span_id, 2, "ERROR")
        assert trace.info.tags["t"] == "1"
        assert trace.info.state == "OK"

    def test_ending_the_root_as_a_span_ends_the_trace(self, client):
        root = client.start_trace("request")
        client.end_span(root.trace_id, root.span_id, outputs=1)
        assert client.get_trace(root.trace_id).info.state == "OK"

    def test_what_is_not_there(self, client):
        unknown = "tr-" + "0" * 32
        with pytest.raises(NotFoundError):
            client.get_trace(unknown)
        with pytest.raises(NotFoundError):
            client.end_trace(unknown)
        with pytest.raises(NotFoundError):
            client.start_span("s", unknown, "0" * 16)
        root = client.start_trace("request")
        with pytest.raises(NotFoundError):
            client.start_span("s", root.trace_id, "nonsense")
        with pytest.raises(InvalidParameterError, match="parent_id"):
            client.start_span("s", root.trace_id, None)  # type: ignore[arg-type]
        client.end_span(root.trace_id, "0" * 16)
        client.end_trace(root.trace_id)
        with pytest.raises(InvalidParameterError):
            client.end_trace(root.trace_id)

    def test_switched_off(self, client):
        otflow.tracing.disable()
        assert isinstance(client.start_trace("request"), NoOpSpan)

    def test_a_store_of_its_own(self, client, tmp_path):
        other = otflow.Client(f"sqlite:///{tmp_path}/other.db")
        assert other.tracking_uri == f"sqlite:///{tmp_path}/other.db"
        root = other.start_trace("there")
        child = other.start_span("child", root.trace_id, root.span_id)
        other.end_span(child.trace_id, child.span_id)
        other.end_trace(root.trace_id)
        assert len(other.get_trace(root.trace_id).data.spans) == 2
        with pytest.raises(NotFoundError):
            client.get_trace(root.trace_id)

    def test_pages(self, client):
        ids = [otflow.log_trace(str(n), start_time_ms=1_700_000_000_000 + n) for n in range(7)]
        found, token, sizes = [], None, []
        while True:
            page = client.search_traces(locations=["0"], max_results=3, page_token=token)
            found += [trace.info.trace_id for trace in page]
            sizes.append(len(page))
            token = page.token
            if token is None:
                break
        assert found == ids[::-1]
        assert sizes == [3, 3, 1]
        assert client.search_traces(locations=["0"], max_results=0) == []
        assert len(client.search_traces(locations=["0"], max_results=1000)) == 7
        with pytest.raises(InvalidParameterError):
            client.search_traces(locations=["0"], max_results=50_001)
        with pytest.raises(InvalidParameterError):
            client.search_traces(locations=["0"], page_token="nonsense")

    def test_deletion(self, client):
        ids = [otflow.log_trace(str(n), start_time_ms=1000 + n) for n in range(5)]
        assert client.delete_traces("0", trace_ids=[ids[4], "tr-" + "0" * 32]) == 1
        assert client.delete_traces("0", max_timestamp_millis=1003, max_traces=2) == 2
        assert otflow.get_trace(ids[0], silent=True) is None
        assert otflow.get_trace(ids[2]) is not None
        assert client.delete_traces("0", max_timestamp_millis=2000) == 2
        for arguments in (
            {},
            {"max_timestamp_millis": 1, "trace_ids": ["a"]},
            {"max_timestamp_millis": 1, "max_traces": 0},
            {"trace_ids": ["a"], "max_traces": 1},
            {"trace_ids": []},
        ):
            with pytest.raises(InvalidParameterError):
                client.delete_traces("0", **arguments)

    def test_links(self, client):
        ids = [otflow.log_trace(str(n)) for n in range(3)]
        client.link_traces_to_run(ids[:2], "run-1")
        client.link_traces_to_run(ids[:1], "run-1")
        found = client.search_traces(locations=["0"], run_id="run-1")
        assert {trace.info.trace_id for trace in found} == set(ids[:2])
        client.unlink_traces_from_run(ids[:1], "run-1")
        assert len(client.search_traces(locations=["0"], run_id="run-1")) == 1
        with pytest.raises(InvalidParameterError):
            client.link_traces_to_run(ids, "")

    def test_prompts(self, client):
        trace_id = otflow.log_trace("a")
        client.link_prompt_versions_to_trace([SimpleNamespace(name="greet", version=2)], trace_id)
        [trace] = client.search_traces(locations=["0"], filter_string="prompt = 'greet/2'")
        assert trace.info.trace_id == trace_id
        with pytest.raises(NotFoundError):
            client.link_prompt_versions_to_trace([SimpleNamespace(name="greet", version=2)], "tr-" + "0" * 32)

    def test_tags(self, client):
        trace_id = otflow.log_trace("a")
        client.set_trace_tag(trace_id, "k", "v")
        assert client.get_trace(trace_id).info.tags["k"] == "v"
        client.delete_trace_tag(trace_id, "k")
        assert "k" not in client.get_trace(trace_id).info.tags


class TestExperiments:
    def test_life(self, client):
        place = client.create_experiment("e", tags={"a": 1})
        found = client.get_experiment(place)
        assert (found.name, found.tags, found.lifecycle_stage) == ("e", {"a": "1"}, "active")
        client.set_experiment_tag(place, "b", 2)
        client.delete_experiment_tag(place, "a")
        client.rename_experiment(place, "f")
        assert client.get_experiment_by_name("f").tags == {"b": "2"}
        client.delete_experiment(place)
        assert client.get_experiment(place).lifecycle_stage == "deleted"
        assert [one.name for one in client.search_experiments(ViewType.DELETED_ONLY)] == ["f"]
        with pytest.raises(AlreadyExistsError):
            client.create_experiment("f")
        client.restore_experiment(place)
        assert client.search_experiments(filter_string="name = 'f'")[0].experiment_id == place
        with pytest.raises(NotFoundError):
            client.restore_experiment(place)

    def test_pages(self, client):
        for n in range(5):
            client.create_experiment(f"e{n}")
        page = client.search_experiments(max_results=2, order_by=["name"], filter_string="name LIKE 'e%'")
        rest = client.search_experiments(
            max_results=5, order_by=["name"], filter_string="name LIKE 'e%'", page_token=page.token
        )
        assert [one.name for one in [*page, *rest]] == ["e0", "e1", "e2", "e3", "e4"]
        assert rest.token is None
