from __future__ import annotations

import json
import re
from pathlib import Path

from otflow.store.interface import Store
from otflow.wire.endpoints import ENDPOINTS, GET_ASSESSMENT

EXCHANGES = Path(__file__).parent.parent / "data" / "mlflow_exchanges.json"


def test_every_endpoint_names_a_method_of_the_store() -> None:
    for endpoint in ENDPOINTS:
        assert callable(getattr(Store, endpoint.store_method)), endpoint


def test_every_recorded_request_matches_its_endpoint_first() -> None:
    """The first endpoint that matches is the right one, so that a server can take the table as its routes."""
    expected = {
        "get_experiment": "get_experiment",
        "search_experiments": "search_experiments",
        "trace(error)": "write_spans",
        "log_feedback": "create_assessment",
        "log_feedback(error)": "create_assessment",
        "log_expectation": "create_assessment",
        "log_assessment": "create_assessment",
        "override_feedback": "create_assessment",
        "update_assessment": "update_assessment",
        "get_trace": "get_trace",
        "search_traces": "get_traces",
    }
    for exchange in json.loads(EXCHANGES.read_text()):
        found = [
            endpoint.store_method
            for endpoint in ENDPOINTS
            if endpoint.method == exchange["method"]
            and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", endpoint.path), exchange["path"])
        ]
        assert found, exchange["path"]
        if exchange["call"] in expected:
            assert found[0] == expected[exchange["call"]]


def test_arguments_are_quoted_in_the_path() -> None:
    path = GET_ASSESSMENT.url_path({"trace_id": "a/b?c", "assessment_id": "../x"})
    assert path == "/api/3.0/mlflow/traces/a%2Fb%3Fc/assessments/..%2Fx"
