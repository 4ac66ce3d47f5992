"""Settings: where they are read from, and what happens when they hold something else than they may."""

from __future__ import annotations

import os
import re
import timeit
from pathlib import Path

import pytest

from otflow import config
from otflow.config import SETTINGS, Setting
from otflow.errors import InvalidParameterError


def by_name(name: str) -> Setting[object]:
    return getattr(config, name)


def test_each_setting_is_in_the_table_once_under_its_own_name():
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    for setting in SETTINGS:
        assert by_name(setting.name) is setting


def test_each_setting_is_asked_for_somewhere():
    package = Path(config.__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    asked = set(re.findall(r"config\.([A-Z0-9_]+)\.(?:get|take)\(\)|guard\.setting\(config\.([A-Z0-9_]+)\)", source))
    assert {setting.name for setting in SETTINGS} == {name for pair in asked for name in pair if name}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_default_holds_where_nothing_or_nothing_but_emptiness_is_set(setting, monkeypatch):
    monkeypatch.delenv(setting.variables[0], raising=False)  # one is set for all tests
    assert setting.get() == setting.default
    for variable in setting.variables:
        monkeypatch.setenv(variable, "")
    assert setting.get() == setting.default


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_default_is_itself_allowed(setting, monkeypatch):
    if setting.default is not None:
        monkeypatch.setenv(setting.variables[0], str(setting.default))
        assert setting.get() == setting.default


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_reference_page_can_say_what_it_means(setting):
    assert setting.meaning.endswith(".")
    assert setting.kind.name


def test_our_variable_goes_before_mlflows_and_both_are_read_anew_each_time(monkeypatch):
    assert config.TRACKING_URI.variables == ("OTFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///theirs.db")
    assert config.TRACKING_URI.get() == "sqlite:///theirs.db"
    monkeypatch.setenv("OTFLOW_TRACKING_URI", "sqlite:///ours.db")
    assert config.TRACKING_URI.get() == "sqlite:///ours.db"
    monkeypatch.setenv("OTFLOW_TRACKING_URI", "sqlite:///ours-now.db")
    assert config.TRACKING_URI.get() == "sqlite:///ours-now.db"
    monkeypatch.delenv("OTFLOW_TRACKING_URI")
    assert config.TRACKING_URI.get() == "sqlite:///theirs.db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert config.TRACKING_URI.get() is None


def test_an_environment_that_is_a_plain_dict_is_read_too(monkeypatch):
    monkeypatch.setattr(os, "environ", {"OTFLOW_TRACE_SAMPLING_RATIO": "0.5"})
    assert config.TRACE_SAMPLING_RATIO.get() == 0.5
    monkeypatch.setattr(os, "environ", {})
    assert config.TRACE_SAMPLING_RATIO.get() == 1.0


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("TRUE", True), ("1", True), ("false", False), ("False", False), ("0", False)],
)
def test_booleans_are_the_words_that_mlflow_accepts(text, value, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", text)
    assert config.TRACKING_INSECURE_TLS.get() is value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("TRACE_SAMPLING_RATIO", "0", 0.0),
        ("TRACE_SAMPLING_RATIO", "0.25", 0.25),
        ("TRACE_SAMPLING_RATIO", "1e-3", 0.001),
        ("TRACE_QUEUE_MAX_SPANS", "5", 5),
        ("SQLITE_SYNCHRONOUS", "full", "FULL"),
        ("TRACE_FLUSH_TIMEOUT_S", "0.5", 0.5),
        ("EXPERIMENT_NAME", "über agent ☂", "über agent ☂"),
    ],
)
def test_text_becomes_a_value_of_the_settings_type(name, text, value, monkeypatch):
    monkeypatch.setenv(f"OTFLOW_{name}", text)
    assert by_name(name).get() == value
    assert type(by_name(name).get()) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("TRACING_ENABLED", "yes", "true, 1, false, 0"),
        ("TRACING_ENABLED", " true", "true, 1, false, 0"),
        ("TRACE_SAMPLING_RATIO", "1.5", "a number from 0 to 1"),
        ("TRACE_SAMPLING_RATIO", "-0.1", "a number from 0 to 1"),
        ("TRACE_SAMPLING_RATIO", "nan", "a number from 0 to 1"),
        ("TRACE_SAMPLING_RATIO", "half", "a number from 0 to 1"),
        ("TRACE_FLUSH_TIMEOUT_S", "inf", "a number, 0 or more"),
        ("TRACE_QUEUE_MAX_SPANS", "0", "a whole number, 1 or more"),
        ("TRACE_QUEUE_MAX_SPANS", "2.5", "a whole number, 1 or more"),
        ("HTTP_REQUEST_MAX_RETRIES", "-1", "a whole number, 0 or more"),
        ("SQLITE_SYNCHRONOUS", "SOMETIMES", "OFF, NORMAL, FULL, EXTRA"),
    ],
)
@pytest.mark.parametrize("prefix", ["OTFLOW_", "MLFLOW_"])
def test_what_is_not_allowed_is_refused_by_naming_variable_value_and_what_is(prefix, name, text, allowed, monkeypatch):
    monkeypatch.setenv(prefix + name, text)
    with pytest.raises(InvalidParameterError) as raised:
        by_name(name).get()
    message = str(raised.value)
    assert prefix + name in message
    assert repr(text) in message
    assert allowed in message
    assert raised.value.error_code == "INVALID_PARAMETER_VALUE"


def test_a_refused_value_does_not_hide_a_later_good_one(monkeypatch):
    monkeypatch.setenv("OTFLOW_TRACE_SAMPLING_RATIO", "2")
    with pytest.raises(InvalidParameterError):
        config.TRACE_SAMPLING_RATIO.get()
    monkeypatch.setenv("OTFLOW_TRACE_SAMPLING_RATIO", "0.5")
    assert config.TRACE_SAMPLING_RATIO.get() == 0.5


def test_asking_costs_next_to_nothing(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACE_SAMPLING_RATIO", "0.5")
    asks = 2_000
    for setting in (config.TRACE_SAMPLING_RATIO, config.TRACKING_URI):
        best = min(timeit.repeat(setting.get, number=asks, repeat=9)) / asks
        assert best < 1.5e-6
