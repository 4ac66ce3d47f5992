"""The store behind an HTTP server: MLflow's REST API for all but spans, OTLP for these.

The server may be a released MLflow (3.10.1 is the one it is tested with). What that server does not offer:

- One transaction for a method: a method that sends several requests can fail in between. Sending it again completes it.
- Unlinking traces from a run: raises an error that says so.
- Pages by keyset: a page token stays valid, but traces that come or go between two pages shift them, and the last
  full page may have a token that leads to an empty one.
- `IN`, `NOT IN` and `IS NULL` for most fields of a filter, and comparing feedback as numbers.
- Parts of spans: links, kind, scope and resource are sent, and MLflow does not keep them.
- Spans in portions: `iter_spans` reads the whole trace.
- Integers in feedback come back as floats; NaN and infinities are refused. The run of an assessment is not kept.
- Tags longer than 4096 characters: they are cut.
- `IN`, `IS NULL` and `RLIKE` for most fields of a search for runs, and sound comparisons with NaN.
- Most fields and orders of a search for models and versions that are ours alone, and the logged model of a version.
- Whether a name is a prompt's is asked once; one that is deleted and made again as the other is noticed late.
- Taking the description or the secret of a webhook away. Whether a webhook may be called, and where, the server says.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from otflow.entities import Assessment, Experiment, Page, Span, Trace, TraceData, TraceInfo, ViewType
from otflow.entities.values import clean_text
from otflow.errors import AlreadyExistsError, InvalidParameterError, NotFoundError, OtflowError
from otflow.semconv import Metadata, Tag
from otflow.store import validation
from otflow.store.interface import Store, TraceWrite
from otflow.store.merging import SYNTHESIZED_TAGS
from otflow.store.remote.client import HttpClient
from otflow.store.remote.filters import check_experiment_search, server_filter, server_order
from otflow.store.remote.models import RemoteModels
from otflow.store.remote.registry import Kinds, RemoteRegistry
from otflow.store.remote.runs import RemoteRuns
from otflow.store.remote.webhooks import RemoteWebhooks
from otflow.store.remote.workspaces import RemoteWorkspaces
from otflow.store.remote.writing import Draft, portions
from otflow.wire import endpoints
from otflow.wire.assessments import assessment_from_json, assessment_to_json, changes_to_json
from otflow.wire.conventions import read
from otflow.wire.experiments import experiment_from_json
from otflow.wire.otlp import encode_spans
from otflow.wire.prompt_links import linked_prompts, linked_text
from otflow.wire.scalars import Json, integer, malformed, member, members
from otflow.wire.traces import trace_from_json, trace_info_from_json, trace_info_to_json

__all__ = ["RemoteStore"]

_IDS_PER_REQUEST: Final = 100
"""MLflow's limit for links, and a URL of a length that proxies take."""
_MAX_RESULTS: Final = 50_000
_SERVER_PAGE: Final = 500
"""Traces in one answer of the server."""
_MAX_EXPERIMENTS: Final = 50_000
_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]+\s*").fullmatch
_VIEW_TYPES: Final = {
    ViewType.ACTIVE_ONLY: "ACTIVE_ONLY",
    ViewType.DELETED_ONLY: "DELETED_ONLY",
    ViewType.ALL: "ALL",
}


class RemoteStore(RemoteRuns, RemoteModels, RemoteRegistry, RemoteWebhooks, RemoteWorkspaces, Store):
    """A store that an HTTP server holds. Nothing is sent until a method is called.

    Args:
        uri: The server, `http(s)://[user:password@]host[:port][/path]`, with `#workspace=name` one of its workspaces.

    Raises:
        InvalidParameterError: `uri` is not of that form.
    """

    def __init__(self, uri: str) -> None:
        self._http = HttpClient(uri)
        self._kinds = Kinds()
        self._experiments: set[str] = set()
        """Experiments that have been seen to exist."""
        self._writing = threading.Lock()
        """Held from reading what the server knows until what is merged has been written."""

    @property
    def uri(self) -> str:
        return self._http.uri

    def close(self) -> None:
        self._http.close()

    def after_fork_in_child(self) -> None:
        self._http.after_fork_in_child()
        self._writing = threading.Lock()
        self._kinds = Kinds()

    # -- writing -----------------------------------------------------------------------------------

    def write_traces(self, traces: Sequence[TraceWrite], spans: Sequence[Span]) -> None:
        drafts: dict[str, Draft] = {}
        for write in traces:
            draft = drafts.setdefault(write.trace_id, Draft(write.trace_id, write.experiment_id))
            draft.writes.append(write)
        self._require_experiments(write.experiment_id for write in traces)
        with self._writing:
            known = self._find(list(drafts), {draft.experiment_id for draft in drafts.values()})
            for span in spans:
                if span.trace_id not in drafts:
                    info = self._find_anywhere(span.trace_id)
                    if info is None:
                        raise InvalidParameterError(
                            f"The span {span.name!r} belongs to the trace {span.trace_id!r}, which the store does not "
                            "know and nothing was said of; write_spans takes such spans"
                        )
                    known[span.trace_id] = info
                    drafts[span.trace_id] = Draft(span.trace_id, _experiment_of(info))
                drafts[span.trace_id].add(span)
            self._write(list(drafts.values()), known)

    def write_spans(self, experiment_id: str, spans: Sequence[Span]) -> None:
        drafts: dict[str, Draft] = {}
        for span in spans:
            drafts.setdefault(span.trace_id, Draft(span.trace_id, experiment_id)).add(read(span))
        self._require_experiments([experiment_id])
        with self._writing:
            known = self._find(list(drafts), {experiment_id})
            for trace_id in drafts:
                if trace_id not in known and (info := self._find_anywhere(trace_id)) is not None:
                    known[trace_id] = info
            self._write(list(drafts.values()), known)

    def _write(self, drafts: Sequence[Draft], known: Mapping[str, TraceInfo]) -> None:
        by_experiment: dict[str, list[Span]] = {}
        for draft in drafts:
            draft.know(known.get(draft.trace_id))
            if draft.needs_stored_spans:
                draft.recall(self.get_trace(draft.trace_id).data.spans)
            by_experiment.setdefault(draft.experiment_id, []).extend(draft.spans.values())
        # Encoded before anything is sent: a span that cannot travel is refused with nothing written.
        bodies = [
            (experiment_id, encode_spans(portion))
            for experiment_id, spans in by_experiment.items()
            for portion in portions(spans)
        ]
        for experiment_id, body in bodies:
            self._http.post_protobuf(endpoints.EXPORT_SPANS, body, {endpoints.EXPERIMENT_HEADER: experiment_id})
        # One after the other: at several at once MLflow's server over SQLite is slower, for its locks.
        for draft in drafts:
            if draft.needs_info:
                self._write_info(draft)

    def _write_info(self, draft: Draft) -> None:
        try:
            self._send_info(draft)
        except OtflowError as error:
            if error.error_code not in ("BAD_REQUEST", "INTERNAL_ERROR"):
                raise
            # MLflow's server fails on an info that leaves out an assessment it has. Somebody else has made one since
            # the trace was read, or the trace was not found because it is in another experiment: read it again.
            info = self._find_anywhere(draft.trace_id)
            if info is None:
                raise
            draft.know(info)
            self._send_info(draft)

    def _send_info(self, draft: Draft) -> None:
        info, gone = draft.merged()
        for key in gone:
            self._delete_tag_if_there(draft.trace_id, key)
        self._http.call(endpoints.WRITE_TRACE, body={"trace": {"trace_info": trace_info_to_json(info)}})
        known = linked_prompts(draft.known.tags.get(Tag.LINKED_PROMPTS)) if draft.known is not None else []
        new = [pair for pair in linked_prompts(info.tags.get(Tag.LINKED_PROMPTS)) if pair not in known]
        if new:  # the server finds traces by links, not by the tag that lists them
            self._link_prompts(draft.trace_id, new)

    def _require_experiments(self, experiment_ids: Iterable[str]) -> None:
        for experiment_id in set(experiment_ids) - self._experiments:
            self.get_experiment(experiment_id)
            self._experiments.add(experiment_id)

    def _find(self, trace_ids: Sequence[str], experiment_ids: Iterable[str]) -> dict[str, TraceInfo]:
        """What the server knows of traces in some experiments, by id."""
        found: dict[str, TraceInfo] = {}
        for ids in _chunks(trace_ids):
            listed = ", ".join(f"'{trace_id}'" for trace_id in ids)
            answer = self._search(experiment_ids, f"request_id IN ({listed})", None, len(ids), None)
            for data in members(answer, "traces", "list of traces"):
                info = trace_info_from_json(data)
                found[info.trace_id] = info
        return found

    def _find_anywhere(self, trace_id: str) -> TraceInfo | None:
        try:
            return self.get_trace_info(trace_id)
        except NotFoundError:
            return None

    def delete_traces(
        self,
        experiment_id: str,
        *,
        max_timestamp_ms: int | None = None,
        max_traces: int | None = None,
        trace_ids: Sequence[str] | None = None,
    ) -> int:
        validation.check_trace_deletion(max_timestamp_ms, max_traces, trace_ids)
        body: dict[str, Any] = {"experiment_id": str(experiment_id), "max_traces": max_traces}
        if trace_ids:
            return sum(self._delete({**body, "request_ids": ids}) for ids in _chunks(list(dict.fromkeys(trace_ids))))
        # MLflow's server takes 0 for "not given", and deletes all.
        return self._delete({**body, "max_timestamp_millis": int(max_timestamp_ms or 0) or -1})

    def _delete(self, body: Json) -> int:
        return integer(self._http.call(endpoints.DELETE_TRACES, body=_given(body)).get("traces_deleted"))

    # -- reading -----------------------------------------------------------------------------------

    def get_trace(self, trace_id: str) -> Trace:
        _check_asked(trace_id)
        try:
            answer = self._http.call(endpoints.GET_TRACE, query={"trace_id": trace_id, "allow_partial": "true"})
        except NotFoundError:
            raise _no_trace(trace_id) from None
        except OtflowError as error:
            if error.error_code != "INTERNAL_ERROR":
                raise
            # MLflow's server fails on a trace of which it has no span.
            return _without_spans(self.get_trace_info(trace_id), error)
        return trace_from_json(member(answer, "trace", "trace"))

    def get_trace_info(self, trace_id: str) -> TraceInfo:
        _check_asked(trace_id)
        try:
            answer = self._http.call(endpoints.GET_TRACE_INFO, {"trace_id": trace_id})
        except NotFoundError:
            raise _no_trace(trace_id) from None
        return trace_info_from_json(member(member(answer, "trace", "trace"), "trace_info", "trace"))

    def get_traces(self, trace_ids: Sequence[str]) -> list[Trace]:
        found: dict[str, Trace] = {}
        for ids in _chunks([trace_id for trace_id in dict.fromkeys(trace_ids) if trace_id]):
            found.update((trace.info.trace_id, trace) for trace in self._batch(ids))
            # The server leaves out traces that have no spans, and fails on all where it fails on one.
            for trace_id in ids:
                if trace_id not in found:
                    with suppress(NotFoundError):
                        found[trace_id] = self.get_trace(trace_id)
        return [found[trace_id] for trace_id in dict.fromkeys(trace_ids) if trace_id in found]

    def _batch(self, trace_ids: Sequence[str]) -> list[Trace]:
        try:
            answer = self._http.call(endpoints.GET_TRACES, query={"trace_ids": list(trace_ids)})
        except OtflowError as error:
            if error.error_code != "INTERNAL_ERROR":
                raise
            return []
        return [trace_from_json(data) for data in members(answer, "traces", "list of traces")]

    def iter_spans(self, trace_id: str, *, page_size: int = 1000) -> Iterator[Span]:
        if page_size < 1:
            raise InvalidParameterError(f"page_size must be a positive integer, not {page_size}")
        return iter(self.get_trace(trace_id).data.spans)

    def search_traces(
        self,
        experiment_ids: Sequence[str],
        *,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 100,
        page_token: str | None = None,
        include_spans: bool = True,
    ) -> Page[Trace]:
        validation.check_max_results(max_results, _MAX_RESULTS)
        if isinstance(experiment_ids, str):
            raise InvalidParameterError(f"experiment_ids must be a list of strings, not the string {experiment_ids!r}")
        existing = [str(an_id) for an_id in experiment_ids if _is_number(an_id)]
        asked, order = server_filter(filter_string), server_order(order_by)
        infos: list[TraceInfo] = []
        token = _checked_token(page_token)
        while True:
            answer = self._search(existing, asked, order, min(max_results - len(infos), _SERVER_PAGE), token)
            infos += [trace_info_from_json(data) for data in members(answer, "traces", "list of traces")]
            token = answer.get("next_page_token") or None
            if token is None or len(infos) >= max_results:
                break
        if not include_spans:
            return Page([Trace(info, TraceData([])) for info in infos], token)
        with_spans = [info.trace_id for info in infos if Tag.SPANS_LOCATION in info.tags]
        read = {trace.info.trace_id: trace for trace in self.get_traces(with_spans)}
        return Page([read.get(info.trace_id) or _without_spans(info) for info in infos], token)

    def _search(
        self,
        experiment_ids: Iterable[str],
        filter_string: str | None,
        order_by: Sequence[str] | None,
        max_results: int,
        page_token: str | None,
    ) -> Json:
        body: dict[str, Any] = {
            "locations": [
                {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
                for experiment_id in experiment_ids
            ],
            "filter": filter_string or None,
            "max_results": max_results,
            "order_by": list(order_by) if order_by else None,
            "page_token": page_token or None,
        }
        return self._http.call(endpoints.SEARCH_TRACES, body=_given(body))

    # -- annotating --------------------------------------------------------------------------------

    def set_trace_tag(self, trace_id: str, key: str, value: str) -> None:
        key, value = validation.check_trace_tag(key, value)
        if key in SYNTHESIZED_TAGS:
            self.get_trace_info(trace_id)
            return
        try:
            self._http.call(endpoints.SET_TRACE_TAG, {"trace_id": trace_id}, body={"key": key, "value": value})
        except NotFoundError:
            raise _no_trace(trace_id) from None

    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        if key in SYNTHESIZED_TAGS:
            self.get_trace_info(trace_id)
            return
        self._http.call(endpoints.DELETE_TRACE_TAG, {"trace_id": trace_id}, body={"key": key})

    def _delete_tag_if_there(self, trace_id: str, key: str) -> None:
        with suppress(NotFoundError):
            self.delete_trace_tag(trace_id, key)

    def link_traces_to_run(self, trace_ids: Sequence[str], run_id: str) -> None:
        validation.check_links(trace_ids, run_id)
        if trace_ids:
            body = {"trace_ids": list(dict.fromkeys(trace_ids)), "run_id": run_id}
            self._http.call(endpoints.LINK_TRACES, body=body)

    def unlink_traces_from_run(self, trace_ids: Sequence[str], run_id: str) -> None:
        raise OtflowError(
            f"The server at {self.uri} offers no way to unlink traces from a run; "
            f"all of {list(trace_ids)} are still linked to {run_id!r}",
            "NOT_IMPLEMENTED",
        )

    def link_prompts_to_trace(self, trace_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        info = self.get_trace_info(trace_id)  # the server links to traces that do not exist, too
        if not prompts:
            return
        self._link_prompts(trace_id, prompts)
        linked = [*linked_prompts(info.tags.get(Tag.LINKED_PROMPTS)), *prompts]
        self.set_trace_tag(trace_id, Tag.LINKED_PROMPTS, linked_text(linked))

    def _link_prompts(self, trace_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        versions = [{"name": name, "version": str(version)} for name, version in prompts]
        self._http.call(endpoints.LINK_PROMPTS, body={"trace_id": trace_id, "prompt_versions": versions})

    def create_assessment(self, assessment: Assessment) -> Assessment:
        trace_id, name = assessment.trace_id, assessment.name
        if not isinstance(trace_id, str) or not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"An assessment needs a trace id and a name, not {trace_id!r} and {name!r}")
        body = {"assessment": assessment_to_json(assessment)}
        try:
            answer = self._http.call(endpoints.CREATE_ASSESSMENT, {"trace_id": trace_id}, body=body)
        except NotFoundError:
            self.get_trace_info(trace_id)  # raises where it is the trace that is not there
            raise NotFoundError(
                f"Assessment with ID {assessment.overrides!r} not found for trace {trace_id!r}"
            ) from None
        return assessment_from_json(member(answer, "assessment", "assessment"))

    def get_assessment(self, trace_id: str, assessment_id: str) -> Assessment:
        path = {"trace_id": trace_id, "assessment_id": assessment_id}
        return assessment_from_json(member(self._http.call(endpoints.GET_ASSESSMENT, path), "assessment", "assessment"))

    def update_assessment(self, trace_id: str, assessment_id: str, changes: Mapping[str, object]) -> Assessment:
        data, mask = changes_to_json(changes)
        path = {"trace_id": trace_id, "assessment_id": assessment_id}
        body = {"assessment": {**path, **data}, "update_mask": ",".join(mask)}
        answer = self._http.call(endpoints.UPDATE_ASSESSMENT, path, body=body)
        return assessment_from_json(member(answer, "assessment", "assessment"))

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None:
        path = {"trace_id": trace_id, "assessment_id": assessment_id}
        self._http.call(endpoints.DELETE_ASSESSMENT, path, body=path)

    # -- experiments -------------------------------------------------------------------------------

    def create_experiment(
        self, name: str, *, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        name = clean_text(validation.check_experiment_name(name))
        first_tags = validation.check_first_tags(tags or {})
        body: dict[str, Any] = {
            "name": name,
            "artifact_location": artifact_location,
            "tags": [{"key": key, "value": value} for key, value in first_tags.items()] or None,
        }
        try:
            answer = self._http.call(endpoints.CREATE_EXPERIMENT, body=_given(body))
        except AlreadyExistsError:
            raise _name_taken(name) from None
        experiment_id = answer.get("experiment_id")
        if not isinstance(experiment_id, str):
            raise malformed("experiment", answer)
        return experiment_id

    def get_experiment(self, experiment_id: str) -> Experiment:
        if not _is_number(experiment_id):
            raise InvalidParameterError(
                f"Invalid experiment ID {experiment_id!r}. Experiment ID must be a valid integer."
            )
        if not 0 <= int(experiment_id) < 2**63:
            raise NotFoundError(f"No Experiment with id={experiment_id} exists")
        answer = self._http.call(endpoints.GET_EXPERIMENT, query={"experiment_id": experiment_id})
        return experiment_from_json(member(answer, "experiment", "experiment"), self.workspace)

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]
            return None
        try:
            answer = self._http.call(endpoints.GET_EXPERIMENT_BY_NAME, query={"experiment_name": name})
        except NotFoundError:
            return None
        return experiment_from_json(member(answer, "experiment", "experiment"), self.workspace)

    def search_experiments(
        self,
        *,
        view_type: int = ViewType.ACTIVE_ONLY,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 1000,
        page_token: str | None = None,
    ) -> Page[Experiment]:
        if view_type not in _VIEW_TYPES:
            raise InvalidParameterError(f"{view_type!r} is not a view type; allowed are: {list(_VIEW_TYPES)}")
        validation.check_max_results(max_results, _MAX_EXPERIMENTS)
        check_experiment_search(filter_string, order_by)
        body: dict[str, Any] = {
            "view_type": _VIEW_TYPES[view_type],
            "filter": filter_string or None,
            "order_by": list(order_by) if order_by else ["last_update_time DESC"],
            "max_results": max_results,
            "page_token": _checked_token(page_token),
        }
        answer = self._http.call(endpoints.SEARCH_EXPERIMENTS, body=_given(body))
        found = members(answer, "experiments", "list of experiments")
        experiments = [experiment_from_json(data, self.workspace) for data in found]
        return Page(experiments, answer.get("next_page_token") or None)

    def delete_experiment(self, experiment_id: str) -> None:
        self._http.call(endpoints.DELETE_EXPERIMENT, body={"experiment_id": experiment_id})

    def restore_experiment(self, experiment_id: str) -> None:
        self._http.call(endpoints.RESTORE_EXPERIMENT, body={"experiment_id": experiment_id})

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        new_name = clean_text(validation.check_experiment_name(new_name))
        try:
            self._http.call(endpoints.RENAME_EXPERIMENT, body={"experiment_id": experiment_id, "new_name": new_name})
        except AlreadyExistsError:
            raise _name_taken(new_name) from None

    def set_experiment_tags(self, experiment_id: str, tags: Mapping[str, str]) -> None:
        checked = [validation.check_experiment_tag(key, value) for key, value in tags.items()]
        for key, value in checked:
            body = {"experiment_id": experiment_id, "key": key, "value": value}
            self._http.call(endpoints.SET_EXPERIMENT_TAG, body=body)

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        self._http.call(endpoints.DELETE_EXPERIMENT_TAG, body={"experiment_id": experiment_id, "key": key})


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}


def _chunks(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _IDS_PER_REQUEST):
        yield list(ids[start : start + _IDS_PER_REQUEST])


def _is_number(experiment_id: object) -> bool:
    return not isinstance(experiment_id, bool) and _NUMBER(str(experiment_id)) is not None


def _check_asked(trace_id: object) -> None:
    """A path without an id would be another endpoint's."""
    if not isinstance(trace_id, str) or not trace_id:
        raise _no_trace(trace_id)


def _checked_token(token: object) -> str | None:
    if token is None or token == "":
        return None
    if not isinstance(token, str) or not token.isascii():
        raise InvalidParameterError(f"{token!r} is not a page token")
    return token


def _experiment_of(info: TraceInfo) -> str:
    if info.experiment_id is None:
        raise malformed("trace: it is in no experiment", info.trace_id)
    return info.experiment_id


def _without_spans(info: TraceInfo, error: OtflowError | None = None) -> Trace:
    """A trace that has no spans; one that has some elsewhere raises."""
    if Metadata.SIZE_STATS in info.trace_metadata:
        raise error or OtflowError(
            f"The spans of the trace {info.trace_id!r} are not in the server's database; "
            "spans that MLflow keeps as artifacts cannot be read"
        )
    return Trace(info, TraceData([]))


def _no_trace(trace_id: object) -> NotFoundError:
    return NotFoundError(f"Trace with ID {trace_id!r} not found")


def _name_taken(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"An experiment named {name!r} exists already, perhaps as a deleted one")
