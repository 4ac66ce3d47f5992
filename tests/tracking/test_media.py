"""Figures, images and tables of runs, through the public functions."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import otflow
from otflow.client.artifact_queue import artifact_queue
from otflow.errors import ArgumentTypeError, InvalidParameterError, NotFoundError

BLACK = np.zeros((4, 6), dtype=np.uint8)


def files(run, path=None):
    return [file.path for file in otflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path=path)]


class TestImages:
    def test_a_file(self):
        with otflow.start_run() as run:
            otflow.log_image(BLACK, "pictures/black.png")
        image = otflow.artifacts.load_image(f"runs:/{run.info.run_id}/pictures/black.png")
        assert (image.size, image.mode) == ((6, 4), "L")

    def test_a_series(self):
        with otflow.start_run() as run:
            for step in range(3):
                otflow.log_image(BLACK, key="sample", step=step, timestamp=17)
            otflow.log_image(BLACK, key="other", synchronous=True)
            otflow.flush_artifact_async_logging()
        names = files(run, "images")
        assert len(names) == 8
        for step in range(3):
            assert sum(name.startswith(f"images/sample%step%{step}%timestamp%17%") for name in names) == 2
        assert sum(name.endswith("%compressed.webp") for name in names) == 4
        assert otflow.get_run(run.info.run_id).data.tags["mlflow.loggedImages"] == "True"

    def test_what_changes_afterwards_is_not_seen(self):
        array = BLACK.copy()
        with otflow.start_run() as run:
            otflow.log_image(array, key="sample")
            array[:] = 255
            otflow.flush_artifact_async_logging()
        (name,) = [name for name in files(run, "images") if name.endswith(".png")]
        image = otflow.artifacts.load_image(f"runs:/{run.info.run_id}/{name}")
        assert np.array(image).max() == 0

    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"step": 1},
            {"artifact_file": "a.png", "key": "k"},
            {"artifact_file": "a.png", "step": 1},
            {"artifact_file": "a.png", "timestamp": 1},
        ],
    )
    def test_arguments_that_exclude_each_other(self, arguments):
        with otflow.start_run() as run:
            with pytest.raises(TypeError, match="artifact_file"):
                otflow.log_image(BLACK, **arguments)
            with pytest.raises(ArgumentTypeError):
                otflow.log_image(BLACK, **arguments)
        assert files(run) == []

    @pytest.mark.parametrize(("arguments", "said"), [({"step": 1.5}, "step"), ({"timestamp": "now"}, "timestamp")])
    def test_numbers_that_are_none(self, arguments, said):
        with otflow.start_run() as run, pytest.raises(InvalidParameterError, match=said):
            otflow.log_image(BLACK, key="k", **arguments)
        assert files(run) == []

    def test_a_failure_behind_the_back_is_logged(self, caplog, tmp_path):
        place = tmp_path / "place"
        place.write_text("a file, where a directory is to be")
        experiment = otflow.create_experiment("broken", artifact_location=str(place))
        with otflow.start_run(experiment_id=experiment):
            otflow.log_image(BLACK, key="k")
            otflow.flush_artifact_async_logging()
        assert any("could not be written" in record.getMessage() for record in caplog.records)

    def test_the_end_of_a_process_waits(self, tmp_path):
        code = """
            import numpy as np, otflow
            run = otflow.start_run()
            for step in range(20):
                otflow.log_image(np.zeros((50, 50), dtype=np.uint8), key="k", step=step)
            print(run.info.run_id)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        otflow.set_tracking_uri(f"sqlite:///{tmp_path}/otflow.db")
        assert len(otflow.artifacts.list_artifacts(run_id=done.stdout.strip(), artifact_path="images")) == 40

    def test_no_thread_is_left_behind(self):
        with otflow.start_run():
            otflow.log_image(BLACK, key="k")
            otflow.flush_artifact_async_logging()
        assert artifact_queue._pool is None


class TestTables:
    def test_logged_and_loaded(self):
        with otflow.start_run() as run:
            otflow.log_table({"q": ["a"], "n": [1]}, "d/t.json")
            otflow.log_table(pd.DataFrame({"q": ["b"], "n": [2]}), "d/t.json")
        assert otflow.load_table("d/t.json").to_dict("list") == {"q": ["a", "b"], "n": [1, 2]}
        tag = otflow.get_run(run.info.run_id).data.tags["mlflow.loggedArtifacts"]
        assert json.loads(tag) == [{"path": "d/t.json", "type": "table"}]

    def test_tables_of_several_runs(self):
        ids = []
        for number in range(3):
            with otflow.start_run() as run:
                otflow.log_param("number", number)
                otflow.log_table({"n": [number]}, "t.json")
                ids.append(run.info.run_id)
        with otflow.start_run():
            pass
        assert otflow.load_table("t.json")["n"].tolist() == [2, 1, 0]
        some = otflow.load_table("t.json", run_ids=[ids[0], ids[2]], extra_columns=["run_id", "params.number"])
        assert some["run_id"].tolist() == [ids[2], ids[0]]
        assert some["params.number"].tolist() == ["2", "0"]

    def test_what_is_not_there(self):
        with otflow.start_run() as run:
            otflow.log_table({"n": [1]}, "t.json")
        for arguments in ({"artifact_file": "other.json"}, {"artifact_file": "t.json", "run_ids": ["0" * 32]}):
            with pytest.raises(NotFoundError, match="No runs found"):
                otflow.load_table(**arguments)
        with pytest.raises(InvalidParameterError, match="nope"):
            otflow.load_table("t.json", extra_columns=["nope"])
        assert otflow.load_table("t.json", run_ids=[run.info.run_id]).shape == (1, 1)

    def test_names_with_signs_of_the_filter_language(self):
        with otflow.start_run():
            for name in ("it's 100%.json", "it_s 100x.json"):
                otflow.log_table({"name": [name]}, name)
        assert otflow.load_table("it's 100%.json")["name"].tolist() == ["it's 100%.json"]

    def test_images_in_a_table(self):
        with otflow.start_run() as run:
            otflow.log_table({"n": [1, 2], "image": [otflow.Image(BLACK), otflow.Image(BLACK)]}, "d/t.json")
        cells = otflow.load_table("d/t.json")["image"].tolist()
        for cell in cells:
            assert cell["type"] == "image"
            assert cell["filepath"].startswith("table_images/d/t/")
            assert otflow.artifacts.load_image(f"runs:/{run.info.run_id}/{cell['filepath']}").size == (6, 4)
            assert otflow.artifacts.load_image(f"runs:/{run.info.run_id}/{cell['compressed_filepath']}").size[0] == 256

    def test_threads_lose_no_rows(self):
        with otflow.start_run() as run:
            run_id = run.info.run_id
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda number: otflow.log_table({"n": [number]}, "t.json", run_id), range(40)))
        assert sorted(otflow.load_table("t.json")["n"].tolist()) == list(range(40))

    def test_a_table_that_is_refused_leaves_nothing(self):
        with otflow.start_run() as run:
            for data, path in (({"a": [1], "b": [1, 2]}, "t.json"), ({"a": [1]}, "t.csv"), ({"a": [1]}, "../t.json")):
                with pytest.raises(InvalidParameterError):
                    otflow.log_table(data, path)
        assert files(run) == []
        assert "mlflow.loggedArtifacts" not in otflow.get_run(run.info.run_id).data.tags


def test_nothing_of_it_is_imported_before_it_is_used(tmp_path):
    code = """
        import sys, otflow
        with otflow.start_run():
            otflow.log_metric("m", 1.0)
            otflow.log_text("x", "x.txt")
            otflow.search_runs(output_format="list")
        dear = "numpy pandas PIL matplotlib plotly yaml psutil requests fsspec".split()
        print([name for name in dear if name in sys.modules])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr
