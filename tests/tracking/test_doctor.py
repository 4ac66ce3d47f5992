"""What is printed for finding out what is wrong, and the hook of telemetry that there is not."""

from __future__ import annotations

import logging

import pytest

import otflow
from otflow.errors import InvalidParameterError


def test_facts(capsys, monkeypatch):
    monkeypatch.setenv("OTFLOW_TRACE_SAMPLING_RATIO", "0.5")
    monkeypatch.setenv("OTFLOW_TRACKING_PASSWORD", "hush")
    otflow.set_tracking_uri("sqlite:///some.db")
    otflow.doctor()
    printed = capsys.readouterr().out
    assert f"otflow: {otflow.__version__}" in printed
    assert "Tracking URI: sqlite:///some.db" in printed
    assert "OTFLOW_TRACE_SAMPLING_RATIO: 0.5" in printed
    assert "opentelemetry-sdk: " in printed
    assert "hush" not in printed


def test_hidden_values(capsys, monkeypatch):
    monkeypatch.setenv("OTFLOW_TRACE_SAMPLING_RATIO", "0.5")
    otflow.doctor(mask_envs=True)
    printed = capsys.readouterr().out
    assert printed.count("OTFLOW_TRACE_SAMPLING_RATIO: ***") == 2
    assert "OTFLOW_TRACE_SAMPLING_RATIO: 0.5" not in printed


def test_problems_are_said(capsys, monkeypatch):
    monkeypatch.setenv("OTFLOW_TRACE_SAMPLING_RATIO", "much")
    otflow.doctor()
    assert "OTFLOW_TRACE_SAMPLING_RATIO must be" in capsys.readouterr().out.partition("problems:")[2]


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize(
    "uri", ["http://ada:hush@127.0.0.1:1", "http://ada:at@hush@127.0.0.1:1", "postgresql://127.0.0.1:1/x?password=hush"]
)
def test_passwords_in_uris_are_not_shown(capsys, monkeypatch, uri, mask):
    monkeypatch.setenv("OTFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    otflow.set_tracking_uri(uri)
    otflow.set_registry_uri(uri)
    otflow.doctor(mask_envs=mask)
    assert "hush" not in capsys.readouterr().out


def test_there_is_no_telemetry(caplog):
    with caplog.at_level(logging.INFO, "otflow"):
        assert otflow.set_telemetry_client() is None
    assert "no telemetry" in caplog.text


class TestRegistryUri:
    def test_it_is_the_tracking_uri_by_default(self):
        otflow.set_tracking_uri("sqlite:///a.db")
        assert otflow.get_registry_uri() == "sqlite:///a.db"
        otflow.set_registry_uri("sqlite:///b.db")
        assert (otflow.get_registry_uri(), otflow.get_tracking_uri()) == ("sqlite:///b.db", "sqlite:///a.db")
        otflow.set_registry_uri("")
        assert otflow.get_registry_uri() == "sqlite:///a.db"

    def test_the_environment(self, monkeypatch):
        monkeypatch.setenv("MLFLOW_REGISTRY_URI", "sqlite:///env.db")
        assert otflow.get_registry_uri() == "sqlite:///env.db"
        otflow.set_registry_uri("sqlite:///set.db")
        assert otflow.get_registry_uri() == "sqlite:///set.db"

    @pytest.mark.parametrize("uri", ["nonsense://x", 5, "databricks"])
    def test_what_is_none(self, uri):
        with pytest.raises(InvalidParameterError):
            otflow.set_registry_uri(uri)
        assert otflow.get_registry_uri() == otflow.get_tracking_uri()
