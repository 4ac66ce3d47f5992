"""The package: what it exports, and what it does not cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from otflow import entities

HEAVY = (
    "opentelemetry.sdk",
    "opentelemetry.proto",
    "google.protobuf",
    "pydantic",
    "pandas",
    "numpy",
    "requests",
    "sqlite3",
)


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_every_name_is_there():
    for name in entities.__all__:
        assert getattr(entities, name).__name__ == {"PagedList": "Page"}.get(name, name)
    assert set(entities.__all__) <= set(dir(entities))


def test_no_other_name_is():
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        entities.Nonsense  # noqa: B018


def test_nothing_heavy_is_imported():
    names = [name for name in entities.__all__ if name != "LiveSpan"]
    modules = loaded_by(f"from otflow.entities import {', '.join(names)}")
    assert {name for name in HEAVY if name in modules} == set()


def test_importing_the_package_imports_no_entity():
    modules = loaded_by("import otflow.entities")
    assert {name for name in modules if name.startswith("otflow.entities.")} == set()


def test_reading_a_trace_imports_nothing_heavy():
    modules = loaded_by(
        "from otflow.entities import Trace, TraceData, TraceInfo, TraceLocation, TraceState\n"
        "info = TraceInfo('tr-1', TraceLocation.from_experiment_id('0'), 1, TraceState.OK)\n"
        "assert Trace.from_json(Trace(info, TraceData()).to_json()).to_pandas_dataframe_row()"
    )
    assert {name for name in HEAVY if name in modules} == set()
