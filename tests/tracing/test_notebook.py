"""Traces in a real notebook: a kernel, cells, and what stands below them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import nbclient
import nbformat
import pytest

import otflow


def outputs(tmp_path, *cells: str) -> list[list[dict[str, Any]]]:
    """What stands below each cell of a notebook that has been run: its rich outputs and texts."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    client = nbclient.NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute(env={**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/t.db"})
    return [[dict(output) for output in cell.outputs] for cell in notebook.cells]


def pages(cell: list[dict[str, Any]]) -> list[str]:
    return [output["data"]["text/html"] for output in cell if "text/html" in output.get("data", {})]


SETUP = """
import otflow

@otflow.trace
def answer(question):
    return question.upper()
"""


def test_a_cell_shows_the_traces_that_it_made(tmp_path):
    setup, first, quiet, twice, result, asked, failing, many, off, on = outputs(
        tmp_path,
        SETUP,
        "answer('one')",
        "1 + 1",
        "answer('two'); answer('three')",
        "otflow.get_trace(otflow.get_last_active_trace_id())",
        "found = otflow.search_traces(max_results=2, return_type='list')",
        "try:\n    otflow.trace(lambda: 1 / 0, name='fails')()\nexcept ZeroDivisionError: pass",
        "for _ in range(14): answer('many')",
        "otflow.tracing.disable_notebook_display()\nanswer('no')\notflow.get_trace(otflow.get_last_active_trace_id())",
        "otflow.tracing.enable_notebook_display(); answer('again')",
    )
    assert (len(pages(setup)), len(pages(quiet))) == (0, 0)
    [page] = pages(first)
    assert "answer" in page
    assert "ONE" in page
    assert ["TWO" in page for page in pages(twice)] == [True, False]
    assert len(pages(result)) == 1, "shown once, as the cell's result"
    assert len(pages(asked)) == 2
    assert "fails" in pages(failing)[0]
    assert len(pages(many)) == 10
    assert any("4 more traces of this cell" in output.get("text", "") for output in many)
    assert pages(off) == []
    assert "Trace(trace_id=" in off[-1]["data"]["text/plain"]
    assert ["AGAIN" in page for page in pages(on)] == [True]


def test_cells_that_run_others_and_wait_and_end_what_is_open(tmp_path):
    _, nested, waiting, opening, ending = outputs(
        tmp_path,
        SETUP,
        "answer('before')\nget_ipython().run_cell(\"answer('inside')\", store_history=False)\nanswer('after')",
        "import asyncio\nawait asyncio.to_thread(answer, 'awaited')",
        "late = otflow.start_span_no_context('late')",
        "late.end()",
    )
    text = "".join(pages(nested))
    assert len(pages(nested)) == 3
    assert text.index("BEFORE") < text.index("INSIDE") < text.index("AFTER")
    assert ["AWAITED" in page for page in pages(waiting)] == [True]
    assert pages(opening) == []
    assert ["late" in page for page in pages(ending)] == [True]


def test_what_a_cell_looks_up_is_bounded(tmp_path):
    _, _, looking = outputs(
        tmp_path,
        SETUP,
        "ids = []\nfor _ in range(13):\n    answer('many')\n    ids.append(otflow.get_last_active_trace_id())",
        "for id_ in ids * 2: otflow.get_trace(id_)\nanswer('made')",
    )
    assert len(pages(looking)) == 10
    assert any("4 more traces of this cell" in output.get("text", "") for output in looking)


def test_without_a_store_the_cell_runs_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    _, cell = outputs(tmp_path, SETUP, f"otflow.set_tracking_uri('sqlite:///{tmp_path}/file/t.db'); answer('one')")
    assert pages(cell) == []
    assert any("'ONE'" in output.get("data", {}).get("text/plain", "") for output in cell)


def test_outside_of_notebooks_a_trace_is_text():
    with otflow.start_span("root") as root:
        pass
    trace = otflow.get_trace(root.trace_id)
    assert trace is not None
    assert trace._repr_mimebundle_()["text/plain"] == f"Trace(trace_id={root.trace_id})"


@pytest.mark.parametrize(
    ("program", "loaded"),
    [
        ("import otflow; otflow.trace(lambda: 1)()", set()),
        ("import IPython, otflow", {"IPython"}),
        ("import otflow; otflow.tracing.disable_notebook_display()", {"otflow.tracing.notebook"}),
    ],
)
def test_without_a_notebook_nothing_of_it_is_loaded(tmp_path, program, loaded):
    ask = f"{program}; import sys; print({{'IPython', 'otflow.tracing.notebook'}} & {{*sys.modules}} == {loaded!r})"
    environment = {**os.environ, "OTFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/t.db"}
    ran = subprocess.run(
        [sys.executable, "-c", ask], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert ran.stdout == "True\n"


@pytest.mark.parametrize("switch", ["enable_notebook_display", "disable_notebook_display"])
def test_the_switches_do_no_harm_outside_of_notebooks(switch):
    getattr(otflow.tracing, switch)()
    otflow.tracing.enable_notebook_display()


def test_a_run_goes_on_in_the_next_cell(tmp_path):
    """Also behind an `await`, after which a cell is in a context that ends with it."""
    *_, shown = outputs(
        tmp_path,
        "import asyncio, otflow\nrun = otflow.start_run()\nawait asyncio.sleep(0)",
        "otflow.log_metric('m', 1.0)\nassert otflow.active_run() is run",
        "await asyncio.sleep(0)\notflow.end_run()",
        "model = otflow.set_active_model(name='agent')\nawait asyncio.sleep(0)",
        "found = otflow.get_run(run.info.run_id)\n"
        "print(otflow.active_run(), found.info.status, found.data.metrics, found.data.tags['mlflow.source.type'],"
        " otflow.get_active_model_id() == model.model_id)",
    )
    assert [output["text"] for output in shown] == ["None FINISHED {'m': 1.0} NOTEBOOK True\n"]
