"""Workspaces: making them, and what of one is not seen from another."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest

from otflow.entities import (
    AssessmentSource,
    Feedback,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    RunTag,
    ViewType,
    WebhookEvent,
    WebhookStatus,
    WorkspaceDeletionMode,
)
from otflow.errors import AlreadyExistsError, InvalidParameterError, InvalidStateError, NotFoundError, OtflowError
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests, new_trace_id, span, write

__all__ = ["WorkspaceContract"]

_NAMES: Final = ["", "a", "A-b", "-ab", "ab-", "a--b", "a_b", "a b", "ab\n", "x" * 64, "éééé", "api", "workspaces"]
_HUMAN: Final = AssessmentSource("HUMAN")
_ANY_STAGE: Final = ViewType.ALL
_URL: Final = "https://1.1.1.1/hook"
_EVENT: Final = WebhookEvent("registered_model", "created")


@dataclass(frozen=True)
class Things:
    """One of everything, in one workspace."""

    name: str
    experiment: str
    trace: str
    assessment: str
    run: str
    model: str
    webhook: str


def furnish(store: Store, name: str = "") -> Things:
    """Put one of everything into a workspace; its experiment and its registered model have this name."""
    name = name or f"things-{secrets.token_hex(8)}"
    experiment = store.create_experiment(name, tags={"a": "b"})
    trace = new_trace_id()
    store.write_traces([write(trace, experiment, tags={"kept": "1"})], [span(trace)])
    assessment = store.create_assessment(Feedback(name="f", value=1, trace_id=trace, source=_HUMAN))
    run = store.create_run(experiment).info.run_id
    store.log_batch(run, metrics=[Metric("m", 1.0, 1, 1)], params=[Param("p", "1")], tags=[RunTag("t", "1")])
    model = store.create_logged_model(experiment, name="model", tags={"kept": "1"}).model_id
    store.create_model_version(name, "s3://b/x", tags={"kept": "1"}, create_model=True, model_tags={"kept": "1"})
    store.set_registered_model_alias(name, "champion", "1")
    webhook = store.create_webhook(name, _URL, [_EVENT], status=WebhookStatus.DISABLED).webhook_id
    return Things(name, experiment, trace, assessment.assessment_id or "", run, model, webhook)


def _absent(call: Callable[[Store, Things], object]) -> Callable[[Store, Things], None]:
    """A call that is to raise as for an id that is nowhere."""

    def check(store: Store, foreign: Things) -> None:
        with pytest.raises(NotFoundError):
            call(store, foreign)

    return check


def _nothing(call: Callable[[Store, Things], object]) -> Callable[[Store, Things], None]:
    """A call that is to find nothing."""

    def check(store: Store, foreign: Things) -> None:
        assert not list(call(store, foreign) or ())  # type: ignore[call-overload]

    return check


def _feedback(trace: str) -> Feedback:
    return Feedback(name="g", value=2, trace_id=trace, source=_HUMAN)


_INTRUSIONS: Final[dict[str, Callable[[Store, Things], None]]] = {
    # -- experiments
    "get_experiment": _absent(lambda s, t: s.get_experiment(t.experiment)),
    "get_experiment_by_name": _nothing(lambda s, t: s.get_experiment_by_name(t.name)),
    "search_experiments": _nothing(
        lambda s, t: [e for e in s.search_experiments(view_type=_ANY_STAGE) if e.experiment_id == t.experiment]
    ),
    "delete_experiment": _absent(lambda s, t: s.delete_experiment(t.experiment)),
    "restore_experiment": _absent(lambda s, t: s.restore_experiment(t.experiment)),
    "rename_experiment": _absent(lambda s, t: s.rename_experiment(t.experiment, "other")),
    "set_experiment_tags": _absent(lambda s, t: s.set_experiment_tags(t.experiment, {"a": "c"})),
    "delete_experiment_tag": _absent(lambda s, t: s.delete_experiment_tag(t.experiment, "a")),
    # -- traces
    "write_traces": _absent(lambda s, t: s.write_traces([write(new_trace_id(), t.experiment)], [])),
    "write_spans": _absent(lambda s, t: s.write_spans(t.experiment, [span(new_trace_id())])),
    "delete_traces": _absent(lambda s, t: s.delete_traces(t.experiment, trace_ids=[t.trace])),
    "get_trace": _absent(lambda s, t: s.get_trace(t.trace)),
    "get_trace_info": _absent(lambda s, t: s.get_trace_info(t.trace)),
    "get_traces": _nothing(lambda s, t: s.get_traces([t.trace])),
    "iter_spans": _absent(lambda s, t: list(s.iter_spans(t.trace))),
    "search_traces": _nothing(lambda s, t: s.search_traces([t.experiment])),
    "set_trace_tag": _absent(lambda s, t: s.set_trace_tag(t.trace, "new", "1")),
    "delete_trace_tag": _absent(lambda s, t: s.delete_trace_tag(t.trace, "kept")),
    "link_traces_to_run": _absent(lambda s, t: s.link_traces_to_run([t.trace], t.run)),
    "unlink_traces_from_run": _absent(lambda s, t: s.unlink_traces_from_run([t.trace], t.run)),
    "link_prompts_to_trace": _absent(lambda s, t: s.link_prompts_to_trace(t.trace, [("p", "1")])),
    "create_assessment": _absent(lambda s, t: s.create_assessment(_feedback(t.trace))),
    "get_assessment": _absent(lambda s, t: s.get_assessment(t.trace, t.assessment)),
    "update_assessment": _absent(lambda s, t: s.update_assessment(t.trace, t.assessment, {"rationale": "r"})),
    "delete_assessment": _absent(lambda s, t: s.delete_assessment(t.trace, t.assessment)),
    # -- runs
    "create_run": _absent(lambda s, t: s.create_run(t.experiment)),
    "get_run": _absent(lambda s, t: s.get_run(t.run)),
    "update_run": _absent(lambda s, t: s.update_run(t.run, status="FAILED")),
    "delete_run": _absent(lambda s, t: s.delete_run(t.run)),
    "restore_run": _absent(lambda s, t: s.restore_run(t.run)),
    "log_batch": _absent(lambda s, t: s.log_batch(t.run, metrics=[Metric("m", 2.0, 2, 2)])),
    "delete_run_tag": _absent(lambda s, t: s.delete_run_tag(t.run, "t")),
    "link_prompts_to_run": _absent(lambda s, t: s.link_prompts_to_run(t.run, [("p", "1")])),
    "unlink_prompt_from_run": _absent(lambda s, t: s.unlink_prompt_from_run(t.run, ("p", "1"))),
    "get_metric_history": _nothing(lambda s, t: s.get_metric_history(t.run, "m")),
    "log_inputs": _absent(lambda s, t: s.log_inputs(t.run, models=[LoggedModelInput(t.model)])),
    "log_outputs": _absent(lambda s, t: s.log_outputs(t.run, [LoggedModelOutput(t.model, 0)])),
    "search_runs": _nothing(lambda s, t: s.search_runs([t.experiment], view_type=_ANY_STAGE)),
    # -- logged models
    "create_logged_model": _absent(lambda s, t: s.create_logged_model(t.experiment, name="other")),
    "get_logged_model": _absent(lambda s, t: s.get_logged_model(t.model)),
    "finalize_logged_model": _absent(lambda s, t: s.finalize_logged_model(t.model, LoggedModelStatus.FAILED)),
    "delete_logged_model": _absent(lambda s, t: s.delete_logged_model(t.model)),
    "set_logged_model_tags": _absent(lambda s, t: s.set_logged_model_tags(t.model, {"new": "1"})),
    "delete_logged_model_tag": _absent(lambda s, t: s.delete_logged_model_tag(t.model, "kept")),
    "link_prompts_to_logged_model": _absent(lambda s, t: s.link_prompts_to_logged_model(t.model, [("p", "1")])),
    "log_logged_model_params": _absent(lambda s, t: s.log_logged_model_params(t.model, {"new": "1"})),
    "search_logged_models": _nothing(lambda s, t: s.search_logged_models([t.experiment])),
    # -- the registry
    "get_registered_model": _absent(lambda s, t: s.get_registered_model(t.name)),
    "rename_registered_model": _absent(lambda s, t: s.rename_registered_model(t.name, "other")),
    "update_registered_model": _absent(lambda s, t: s.update_registered_model(t.name, description="d")),
    "delete_registered_model": _absent(lambda s, t: s.delete_registered_model(t.name)),
    "search_registered_models": _nothing(lambda s, t: s.search_registered_models(filter_string=f"name = '{t.name}'")),
    "set_registered_model_tag": _absent(lambda s, t: s.set_registered_model_tag(t.name, "new", "1")),
    "delete_registered_model_tag": _absent(lambda s, t: s.delete_registered_model_tag(t.name, "kept")),
    "set_registered_model_alias": _absent(lambda s, t: s.set_registered_model_alias(t.name, "new", "1")),
    "delete_registered_model_alias": _absent(lambda s, t: s.delete_registered_model_alias(t.name, "champion")),
    "get_model_version_by_alias": _absent(lambda s, t: s.get_model_version_by_alias(t.name, "champion")),
    "get_latest_versions": _absent(lambda s, t: s.get_latest_versions(t.name)),
    "get_latest_version": _absent(lambda s, t: s.get_latest_version(t.name)),
    "create_model_version": _absent(lambda s, t: s.create_model_version(t.name, "s3://b/y")),
    "get_model_version": _absent(lambda s, t: s.get_model_version(t.name, "1")),
    "update_model_version": _absent(lambda s, t: s.update_model_version(t.name, "1", description="d")),
    "transition_model_version_stage": _absent(lambda s, t: s.transition_model_version_stage(t.name, "1", "Staging")),
    "delete_model_version": _absent(lambda s, t: s.delete_model_version(t.name, "1")),
    "get_model_version_download_uri": _absent(lambda s, t: s.get_model_version_download_uri(t.name, "1")),
    "search_model_versions": _nothing(lambda s, t: s.search_model_versions(filter_string=f"name = '{t.name}'")),
    "set_model_version_tag": _absent(lambda s, t: s.set_model_version_tag(t.name, "1", "new", "1")),
    "link_prompt_to_experiment": _absent(lambda s, t: s.link_prompt_to_experiment(t.name, "0")),
    "delete_model_version_tag": _absent(lambda s, t: s.delete_model_version_tag(t.name, "1", "kept")),
    # -- webhooks
    "get_webhook": _absent(lambda s, t: s.get_webhook(t.webhook)),
    "list_webhooks": _nothing(lambda s, t: [one for one in s.list_webhooks() if one.webhook_id == t.webhook]),
    "update_webhook": _absent(lambda s, t: s.update_webhook(t.webhook, description="d")),
    "delete_webhook": _absent(lambda s, t: s.delete_webhook(t.webhook)),
    "test_webhook": _absent(lambda s, t: s.test_webhook(t.webhook)),
}
"""For each method of a store: what becomes of it in a workspace, when it is told of things of another one."""

_ELSEWHERE: Final = frozenset(
    {
        "after_fork_in_child", "close", "create_experiment", "create_registered_model", "create_webhook",
        "create_workspace", "delete_workspace", "get_workspace", "in_workspace", "list_workspaces", "update_workspace",
        "uri", "workspace",
    }
)  # fmt: skip
"""Methods that are told of nothing that is in a workspace."""


def _state(store: Store, things: Things) -> dict[str, Any]:
    """All that can be changed of the things."""
    trace = store.get_trace(things.trace)
    registered = store.get_registered_model(things.name)
    return {
        "experiment": dict(store.get_experiment(things.experiment)),
        "trace": trace.to_dict(),
        "traces": [one.info.trace_id for one in store.search_traces([things.experiment])],
        "run": store.get_run(things.run).to_dictionary(),
        "points": [dict(point) for point in store.get_metric_history(things.run, "m")],
        "runs": [one.info.run_id for one in store.search_runs([things.experiment], view_type=_ANY_STAGE)],
        "model": store.get_logged_model(things.model).to_dictionary(),
        "models": [one.model_id for one in store.search_logged_models([things.experiment])],
        "registered": (registered.tags, registered.aliases, registered.description, registered.name),
        "versions": [
            (one.name, one.version, one.tags, one.description, one.current_stage)
            for one in store.search_model_versions(filter_string=f"name = '{things.name}'")
        ],
        "webhook": dict(store.get_webhook(things.webhook)),
    }


class WorkspaceContract(ContractTests):
    """Workspaces, and that they are kept apart."""

    @pytest.fixture
    def workspace(self, store: Store) -> Store:
        """The store as a workspace that no other test has."""
        return self.new_workspace(store)

    @staticmethod
    def new_workspace(store: Store, **fields: Any) -> Store:
        """Make a workspace; the store as this workspace."""
        name = f"test-{secrets.token_hex(8)}"
        store.create_workspace(name, **fields)
        return store.in_workspace(name)

    # -- making them ---------------------------------------------------------------------------------

    def test_workspace_comes_back(self, store: Store) -> None:
        name = f"test-{secrets.token_hex(8)}"
        made = store.create_workspace(name, description="What for", default_artifact_root="s3://bucket/root")
        assert dict(made) == {
            "name": name, "description": "What for", "default_artifact_root": "s3://bucket/root",
        }  # fmt: skip
        assert store.get_workspace(name) == made
        assert made in store.list_workspaces()
        names = [one.name for one in store.list_workspaces()]
        assert "default" in names
        assert names == sorted(names)
        assert store.workspace == "default"
        assert store.in_workspace(name).workspace == name

    def test_workspace_is_there_once(self, store: Store, workspace: Store) -> None:
        for name in (workspace.workspace, "default"):
            with pytest.raises(AlreadyExistsError, match=name):
                store.create_workspace(name)

    @pytest.mark.parametrize("name", [*_NAMES, None, 5], ids=repr)
    def test_workspace_names(self, store: Store, name: Any) -> None:
        with pytest.raises(InvalidParameterError):
            store.create_workspace(name)

    def test_workspace_changes(self, store: Store, workspace: Store) -> None:
        name = workspace.workspace
        assert store.update_workspace(name, description="new").description == "new"
        assert store.update_workspace(name, default_artifact_root="s3://b/r").default_artifact_root == "s3://b/r"
        assert store.update_workspace(name).description == "new"
        changed = store.update_workspace(name, description="", default_artifact_root="")
        assert (changed.description, changed.default_artifact_root) == ("", None)
        assert store.get_workspace(name) == changed

    @pytest.mark.parametrize("root", [5, " ", "s3://b/r?q=1", "s3://b/r#f"])
    def test_workspace_artifact_roots_that_are_none(self, store: Store, workspace: Store, root: Any) -> None:
        with pytest.raises(InvalidParameterError):
            store.update_workspace(workspace.workspace, default_artifact_root=root)

    def test_workspace_that_is_not_there(self, store: Store) -> None:
        calls: Sequence[Callable[[str], object]] = (
            store.get_workspace,
            lambda name: store.update_workspace(name, description="d"),
            store.delete_workspace,
            lambda name: store.delete_workspace(name, WorkspaceDeletionMode.CASCADE),
        )
        for call in calls:
            with pytest.raises(NotFoundError, match="nowhere"):
                call("nowhere")

    def test_workspace_artifact_root(self, store: Store) -> None:
        workspace = self.new_workspace(store, default_artifact_root="s3://bucket/root/")
        experiment = workspace.get_experiment(workspace.create_experiment("e"))
        assert experiment.artifact_location == f"s3://bucket/root/{experiment.experiment_id}"
        assert experiment.workspace == workspace.workspace
        store.update_workspace(workspace.workspace, default_artifact_root="")
        later = workspace.get_experiment(workspace.create_experiment("f"))
        assert f"workspaces/{workspace.workspace}/{later.experiment_id}" in str(later.artifact_location)
        assert workspace.get_experiment(experiment.experiment_id).artifact_location == experiment.artifact_location

    # -- what is kept apart --------------------------------------------------------------------------

    def test_workspace_begins_empty(self, workspace: Store) -> None:
        assert list(workspace.search_experiments(view_type=_ANY_STAGE)) == []
        assert workspace.get_experiment_by_name("Default") is None
        with pytest.raises(NotFoundError):
            workspace.get_experiment("0")

    def test_workspace_intrusions_are_tried_with_every_method(self) -> None:
        methods = {name for name in Store.__abstractmethods__ if not name.startswith("_")}
        assert methods == set(_INTRUSIONS) | _ELSEWHERE

    @pytest.mark.parametrize("method", sorted(_INTRUSIONS))
    def test_workspace_is_closed_to_others(self, store: Store, workspace: Store, method: str) -> None:
        things = furnish(workspace)
        before = _state(workspace, things)
        _INTRUSIONS[method](self.new_workspace(store), things)
        _INTRUSIONS[method](store, things)
        assert _state(workspace, things) == before

    def test_workspace_names_may_be_used_in_each(self, store: Store, workspace: Store) -> None:
        others = [self.new_workspace(store), workspace]
        ids = [other.create_experiment("same") for other in others]
        assert ids[0] != ids[1]
        for other, an_id in zip(others, ids, strict=True):
            found = other.get_experiment_by_name("same")
            assert found is not None
            assert found.experiment_id == an_id
            assert [one.experiment_id for one in other.search_experiments()] == [an_id]
            with pytest.raises(AlreadyExistsError):
                other.create_experiment("same")

    def test_workspace_searches_leave_out_what_others_have(self, store: Store, workspace: Store) -> None:
        ours, theirs = furnish(workspace), furnish(self.new_workspace(store))
        both = [ours.experiment, theirs.experiment]
        assert [one.info.trace_id for one in workspace.search_traces(both)] == [ours.trace]
        assert [one.info.run_id for one in workspace.search_runs(both)] == [ours.run]
        assert [one.model_id for one in workspace.search_logged_models(both)] == [ours.model]
        assert [one.info.trace_id for one in workspace.get_traces([theirs.trace, ours.trace])] == [ours.trace]

    def test_workspace_links_do_not_lead_out(self, store: Store, workspace: Store) -> None:
        ours, theirs = furnish(workspace), furnish(self.new_workspace(store))
        links: Sequence[Callable[[], object]] = (
            lambda: workspace.link_traces_to_run([theirs.trace], ours.run),
            lambda: workspace.link_traces_to_run([ours.trace], theirs.run),
            lambda: workspace.log_inputs(ours.run, models=[LoggedModelInput(theirs.model)]),
            lambda: workspace.log_outputs(ours.run, [LoggedModelOutput(theirs.model, 0)]),
            lambda: workspace.log_batch(ours.run, metrics=[Metric("m", 1.0, 1, 1, model_id=theirs.model)]),
        )
        before = _state(workspace, ours)
        for link in links:
            with pytest.raises(NotFoundError):
                link()
        assert _state(workspace, ours) == before

    def test_workspace_traces_of_others_are_not_written_to(self, store: Store, workspace: Store) -> None:
        ours, theirs = furnish(workspace), furnish(self.new_workspace(store))
        before = _state(workspace, ours)
        other = store.in_workspace(self.new_workspace(store).workspace)
        experiment = other.create_experiment("e")
        for intrusion in (
            lambda: other.write_traces([write(ours.trace, experiment, tags={"kept": "2"})], []),
            lambda: other.write_spans(experiment, [span(ours.trace, "late")]),
            lambda: other.write_spans(experiment, [span(new_trace_id()), span(theirs.trace, "late")]),
        ):
            with pytest.raises(OtflowError):
                intrusion()
        assert _state(workspace, ours) == before
        assert list(other.search_traces([experiment])) == []

    # -- deleting them -------------------------------------------------------------------------------

    def test_workspace_that_is_empty_is_deleted(self, store: Store, workspace: Store) -> None:
        store.delete_workspace(workspace.workspace)
        with pytest.raises(NotFoundError):
            store.get_workspace(workspace.workspace)
        with pytest.raises(NotFoundError, match=workspace.workspace):
            workspace.create_experiment("e")

    def test_workspace_with_something_in_it_is_kept(self, store: Store, workspace: Store) -> None:
        things = furnish(workspace)
        for _ in range(2):
            with pytest.raises(InvalidStateError, match=workspace.workspace):
                store.delete_workspace(workspace.workspace, WorkspaceDeletionMode.RESTRICT)
            workspace.get_experiment(things.experiment)
            workspace.delete_experiment(things.experiment)  # what is deleted can be restored: it is in it still
            with pytest.raises(InvalidStateError):
                store.delete_workspace(workspace.workspace)
            workspace.restore_experiment(things.experiment)

    def test_workspace_that_moves_to_the_default_one(self, store: Store, workspace: Store) -> None:
        name = f"moving-{secrets.token_hex(8)}"
        things = furnish(workspace, name)
        before = _state(workspace, things)
        store.delete_workspace(workspace.workspace, WorkspaceDeletionMode.SET_DEFAULT)
        after = _state(store, things)
        for what in ("experiment", "webhook"):
            assert after[what].pop("workspace") == "default"
            del before[what]["workspace"]
        assert after == before
        assert [one.name for one in store.list_workspaces() if one.name == workspace.workspace] == []

    def test_workspace_whose_names_are_taken_does_not_move(self, store: Store, workspace: Store) -> None:
        name = f"taken-{secrets.token_hex(8)}"
        store.create_experiment(name)
        things = furnish(workspace, name)
        with pytest.raises(InvalidStateError, match=name):
            store.delete_workspace(workspace.workspace, WorkspaceDeletionMode.SET_DEFAULT)
        assert workspace.get_experiment(things.experiment).name == name

    def test_workspace_deleted_with_what_is_in_it(self, store: Store, workspace: Store) -> None:
        things = furnish(workspace)
        store.delete_workspace(workspace.workspace, WorkspaceDeletionMode.CASCADE)
        store.create_workspace(workspace.workspace)  # a new one of the same name has nothing of the old one
        again = store.in_workspace(workspace.workspace)
        for look in (
            lambda: again.get_experiment(things.experiment),
            lambda: again.get_trace(things.trace),
            lambda: again.get_run(things.run),
            lambda: again.get_logged_model(things.model),
        ):
            with pytest.raises(NotFoundError):
                look()
        assert list(again.search_experiments(view_type=_ANY_STAGE)) == []

    @pytest.mark.parametrize("mode", list(WorkspaceDeletionMode))
    def test_workspace_default_stays(self, store: Store, mode: WorkspaceDeletionMode) -> None:
        with pytest.raises(InvalidStateError, match="default"):
            store.delete_workspace("default", mode)

    def test_workspace_deletion_modes(self, store: Store, workspace: Store) -> None:
        with pytest.raises(InvalidParameterError, match="SET_DEFAULT, CASCADE, RESTRICT"):
            store.delete_workspace(workspace.workspace, "restrict")  # type: ignore[arg-type]
        store.delete_workspace(workspace.workspace, "RESTRICT")  # type: ignore[arg-type]
