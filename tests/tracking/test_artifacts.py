"""Files of runs, by the fluent functions and by the client."""

from __future__ import annotations

import io
import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

import otflow
from otflow.errors import InvalidParameterError, MissingFileError, NotFoundError


def content(run_id: str, path: str) -> bytes:
    return otflow.Client().run_repository(run_id).read(path)


def names(run_id: str, path: str | None = None) -> list[str]:
    return [info.path for info in otflow.Client().list_artifacts(run_id, path)]


class TestWhichRun:
    def test_the_active_one_the_innermost(self):
        with otflow.start_run() as outer:
            with otflow.start_run(nested=True) as inner:
                otflow.log_text("i", "i.txt")
            otflow.log_text("o", "o.txt")
        assert (names(outer.info.run_id), names(inner.info.run_id)) == (["o.txt"], ["i.txt"])

    def test_a_new_one_where_none_is_active(self, tmp_path):
        (tmp_path / "a.txt").write_text("a")
        for log in (
            lambda: otflow.log_text("x", "a.txt"),
            lambda: otflow.log_dict({}, "a.txt"),
            lambda: otflow.log_stream(io.BytesIO(b"x"), "a.txt"),
            lambda: otflow.log_artifact("a.txt"),
        ):
            log()
            run = otflow.active_run()
            assert run is not None
            otflow.end_run()
            assert names(run.info.run_id) == ["a.txt"]

    def test_the_one_that_is_named(self, tmp_path):
        run_id = otflow.Client().create_run("0").info.run_id
        (tmp_path / "up").mkdir()
        (tmp_path / "up" / "f").write_text("f")
        otflow.log_text("x", "t", run_id=run_id)
        otflow.log_dict({}, "d", run_id=run_id)
        otflow.log_stream(io.BytesIO(b"x"), "s", run_id=run_id)
        otflow.log_artifact("up", run_id=run_id)
        otflow.log_artifacts("up", "all", run_id=run_id)
        assert otflow.active_run() is None
        assert names(run_id) == ["all", "d", "s", "t", "up"]
        assert names(run_id, "all") == ["all/f"]

    def test_one_that_does_not_exist(self):
        client = otflow.Client()
        for act in (
            lambda: otflow.log_text("x", "t", run_id="nope"),
            lambda: client.log_dict("nope", {}, "d"),
            lambda: client.log_stream("nope", io.BytesIO(b"x"), "s"),
            lambda: client.list_artifacts("nope"),
            lambda: client.download_artifacts("nope", "x"),
        ):
            with pytest.raises(NotFoundError, match="nope"):
                act()

    def test_a_deleted_one_keeps_its_files_and_takes_more(self):
        client = otflow.Client()
        run_id = client.create_run("0").info.run_id
        client.log_text(run_id, "x", "a")
        client.delete_run(run_id)
        client.log_text(run_id, "y", "b")
        assert names(run_id) == ["a", "b"]


class TestWriting:
    def test_text_as_it_is(self):
        with otflow.start_run() as run:
            otflow.log_text("a\r\nb\né", "d/a b.txt")
            otflow.log_text("long", "same")
            otflow.log_text("s", "same")
            otflow.log_text("", pathlib.PurePosixPath("p/empty"))
        assert content(run.info.run_id, "d/a b.txt") == b"a\r\nb\n\xc3\xa9"
        assert content(run.info.run_id, "same") == b"s"
        assert content(run.info.run_id, "p/empty") == b""

    def test_dictionaries_by_the_name(self):
        with otflow.start_run() as run:
            otflow.log_dict({"b": 1, "a": "ü"}, "d.json")
            otflow.log_dict({"b": 1, "a": "ü"}, "d/d.yml")
            otflow.log_dict([1], "plain")
        assert content(run.info.run_id, "d.json") == b'{\n  "b": 1,\n  "a": "\\u00fc"\n}'
        assert content(run.info.run_id, "d/d.yml") == b'a: "\\xFC"\nb: 1\n'
        assert content(run.info.run_id, "plain") == b"[\n  1\n]"

    def test_streams_from_where_they_stand(self, tmp_path):
        (tmp_path / "f").write_bytes(b"file")
        stream = io.BytesIO(b"123456")
        stream.seek(2)
        with otflow.start_run() as run, open("f", "rb") as file, open("f", "rb", buffering=0) as raw:
            otflow.log_stream(stream, "rest")
            otflow.log_stream(file, "file")
            otflow.log_stream(raw, "raw")
        assert not stream.closed
        assert [content(run.info.run_id, name) for name in ("rest", "file", "raw")] == [b"3456", b"file", b"file"]

    def test_what_is_refused_and_nothing_is_written(self, tmp_path):
        (tmp_path / "f").write_text("x")
        with otflow.start_run() as run, open("f") as text:
            for wrong in (5, None, b"bytes", 1.5, ["a"]):
                with pytest.raises(InvalidParameterError, match="string"):
                    otflow.log_text(wrong, "t")
            with pytest.raises(InvalidParameterError, match="UTF-8"):
                otflow.log_text("\ud800", "t")
            for wrong in (io.StringIO("x"), text, b"x", None):
                with pytest.raises(InvalidParameterError, match="binary stream"):
                    otflow.log_stream(wrong, "s")
            with pytest.raises(InvalidParameterError):
                otflow.log_dict({(1, 2): 3}, "d.json")
            for path in ("../x", "/x", "", None, ".", "a/../..", "%2e%2e/x", "x\0", 5):
                for act in (
                    lambda path=path: otflow.log_text("x", path),
                    lambda path=path: otflow.log_dict({}, path),
                    lambda path=path: otflow.log_stream(io.BytesIO(b"x"), path),
                ):
                    with pytest.raises(InvalidParameterError):
                        act()
            for path in ("../x", "/x", "./x", "x/", "a//b", "a/../b", ".", "x\0", 5):
                with pytest.raises(InvalidParameterError):
                    otflow.log_artifact("f", path)
                with pytest.raises(InvalidParameterError):
                    otflow.log_artifacts(".", path)
            with pytest.raises(FileNotFoundError):
                otflow.log_artifact("missing")
            with pytest.raises(MissingFileError):
                otflow.log_artifacts("missing")
        assert names(run.info.run_id) == []


class TestPlaces:
    def test_the_uri_of_the_active_run(self):
        with otflow.start_run() as run:
            root = run.info.artifact_uri
            assert otflow.get_artifact_uri() == root
            assert otflow.get_artifact_uri("a/b c#1") == f"{root}/a/b c#1"
            assert otflow.get_artifact_uri("/a") == f"{root}/a"

    def test_of_a_storage_whose_package_is_not_there(self):
        code = """
        import sys
        sys.modules["fsspec"] = None
        import otflow
        otflow.set_experiment(experiment_id=otflow.create_experiment("e", artifact_location="s3://bucket/p"))
        print(otflow.get_artifact_uri("x"))
        try:
            otflow.log_text("x", "x")
        except otflow.OtflowError as error:
            print(error)
        """
        answer = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120
        )
        first, second = answer.stdout.splitlines()
        assert first.startswith("s3://bucket/p/")
        assert first.endswith("/artifacts/x")
        assert "otflow[s3]" in second

    @pytest.mark.parametrize(
        "location",
        ["sp ace", "ha#sh", "q?x=1", "pc%20t", "file:///{}/f%20u", "file:rel", "{}/slash/", "memory://places/x"],
    )
    def test_locations_of_experiments(self, location, tmp_path):
        at = location.format(str(tmp_path).lstrip("/") if ":///" in location else tmp_path)
        experiment_id = otflow.create_experiment("e", artifact_location=at)
        with otflow.start_run(experiment_id=experiment_id) as run:
            otflow.log_text("x", "d/a#1 ?.txt")
        assert content(run.info.run_id, "d/a#1 ?.txt") == b"x"
        assert names(run.info.run_id, "d") == ["d/a#1 ?.txt"]
        assert otflow.artifacts.load_text(f"runs:/{run.info.run_id}/d/a#1 ?.txt") == "x"

    def test_a_child_of_a_process_writes_too(self):
        if not hasattr(os, "fork"):
            pytest.skip("there is no fork")
        code = """
        import os, otflow
        with otflow.start_run() as run:
            otflow.log_text("p", "parent")
            child = os.fork()
            if child == 0:
                otflow.log_text("c", "child", run_id=run.info.run_id)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print([info.path for info in otflow.artifacts.list_artifacts(run_id=run.info.run_id)])
        """
        command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert answer.stdout.strip() == "['child', 'parent']", answer.stderr
