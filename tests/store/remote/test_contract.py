"""The contract on a released MLflow's server, as far as that server lets a store keep it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otflow.store.interface import Store
from otflow.store.remote.store import RemoteStore
from otflow.testing import StoreContract

pytestmark = pytest.mark.differential

CANNOT = {
    "MLflow refuses artifact locations with a fragment or parameters": [
        "test_where_artifacts_go",
        "test_the_store_says_where_spans_and_artifacts_are",
    ],
    "MLflow does not keep the run of an assessment": ["test_a_feedback_comes_back"],
    "MLflow keeps numbers in feedback as finite floats": [
        "test_values[1]",
        "test_values[inf]",
        "test_values[1180591620717411303424]",
        "test_a_value_that_is_not_a_number",
    ],
    "MLflow does not compare feedback and span attributes as numbers": [
        "test_update_changes_what_it_names",
        "test_overriding_and_undoing_it",
        "test_filter[feedback.score",
        "test_filter[span.attributes",
    ],
    "MLflow has no IS NULL, and no IN for tags": [
        "test_filter[client_request_id IS",
        "test_filter[tags.absent IS",
        "test_filter[tags.`with space` IS",
        "test_filter[tags.env IN",
    ],
    "in MLflow a span condition asks for any span, not for all": ["test_filter[span.type NOT IN"],
    "MLflow's server has no way to unlink": ["test_link_and_unlink_runs", "test_a_hundred_links_at_once"],
    "MLflow cuts a tag to 4096 characters": ["test_a_long_value_is_cut", "test_ten_megabytes"],
    "MLflow's page tokens are offsets": [
        "test_the_last_page_has_no_token",
        "test_a_token_is_one_of_the_same_search",
        "test_pages_stay_true_while_traces_come_and_go",
    ],
    "MLflow keeps the links of a deleted trace": ["test_nothing_is_left_of_a_deleted_trace"],
    "MLflow adds an attribute to spans, and keeps no kind, links, scope and resource": [
        "test_a_trace_comes_back_as_it_was_written",
        "test_a_span_keeps_everything_it_holds",
    ],
    "MLflow fails on a token usage that is none": ["test_a_usage_that_is_none_is_not_counted"],
    "MLflow lets no traces into a deleted experiment": ["test_a_deleted_experiment_still_takes_traces"],
    "OTLP has no end at time 0, and MLflow's server keeps no state for merging": [
        "test_the_order_of_writes_does_not_matter"
    ],
    "MLflow refuses artifact locations with a query or a fragment": ["test_where_artifacts_of_runs_go["],
    "MLflow has neither IS NULL nor RLIKE for runs, and IN for their ids only": ["test_filter_runs_further["],
    "MLflow takes NaN for 0": [
        "test_nan_equals_no_number[",
        "test_metrics_of_a_model$",
        "test_the_last_point_of_a_metric_counts$",
    ],
    "MLflow has no IS NULL for models": ["test_filters_of_models$"],
    "MLflow keeps no order of models that were made within one millisecond": [
        "test_models_by_datasets$",
        "test_orders_and_pages_of_models[",
        "test_several_orders_of_models$",
    ],
    "MLflow fails on a page token that is none": ["test_arguments_of_a_search_for_models[arguments4]"],
    "MLflow keeps no order of the models that a run used": ["test_models$"],
    "MLflow's language for models and versions is smaller": [
        "test_our_filters_of_registered_models[",
        "test_our_filters_of_versions[",
    ],
    "MLflow keeps no run as an empty one": ["test_filters_of_versions[run_id !="],
    "MLflow's search for versions does not tell their aliases": ["test_a_search_tells_the_aliases_of_a_version$"],
    "MLflow's page tokens of the registry are offsets": [
        "test_tokens_are_those_of_the_search$",
    ],
    "MLflow does not know versions of aliases and stages as sources": ["test_a_version_by_alias_of_a_version$"],
    "MLflow does not keep the logged model of a version": ["test_the_logged_model_of_a_version_is_kept$"],
    "MLflow's server has workspaces only when it is told to": ["test_workspace_"],
    "one request for each of 700 traces takes long": ["test_many_traces_at_once"],
}


@pytest.fixture(scope="module")
def shared(mlflow_server: str) -> Iterator[Store]:
    store = RemoteStore(mlflow_server)
    yield store
    store.close()


class TestRemote(StoreContract):
    @pytest.fixture
    def store(self, shared: Store, request: pytest.FixtureRequest) -> Store:
        for reason, names in CANNOT.items():
            if any(f"{request.node.name}$".startswith(name) for name in names):
                pytest.xfail(reason)
        return shared
