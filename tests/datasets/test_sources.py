"""Where data comes from: what is meant, what a record says of it, and how it is fetched."""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import pytest

import otflow
from otflow.data import dataset_registry, dataset_source_registry
from otflow.data.code_dataset_source import CodeDatasetSource
from otflow.data.dataset import Dataset
from otflow.data.dataset_source import DatasetSource
from otflow.data.delta_dataset_source import DeltaDatasetSource
from otflow.data.filesystem_dataset_source import FileSystemDatasetSource
from otflow.data.http_dataset_source import HTTPDatasetSource
from otflow.data.huggingface_dataset_source import HuggingFaceDatasetSource
from otflow.data.meta_dataset import MetaDataset
from otflow.data.spark_dataset_source import SparkDatasetSource
from otflow.entities import DatasetInput
from otflow.errors import (
    InvalidParameterError,
    MissingExtraError,
    MissingFileError,
    NotFoundError,
    OtflowError,
    StoreUnavailableError,
)


def source_of(source):
    return otflow.data.from_dict([{"x": 1}], source=source).source


@pytest.mark.parametrize(
    ("raw", "kind", "told"),
    [
        ("https://example.com/a.csv", "http", {"url": "https://example.com/a.csv"}),
        ("HTTP://example.com/a", "http", {"url": "HTTP://example.com/a"}),
        ("/data/a.csv", "local", {"uri": "/data/a.csv"}),
        ("a.csv", "local", {"uri": "a.csv"}),
        ("file:///data/a.csv", "local", {"uri": "file:///data/a.csv"}),
        (pathlib.Path("/data/a"), "local", {"uri": "/data/a"}),
        *(
            (f"{scheme}://place/key", scheme, {"uri": f"{scheme}://place/key"})
            for scheme in ("s3", "gs", "r2", "wasbs", "abfss", "hdfs", "viewfs", "ftp", "sftp")
        ),
    ],
)
def test_what_is_meant(raw, kind, told):
    source = source_of(raw)
    assert (source._get_source_type(), source.to_dict()) == (kind, told)
    assert json.loads(source.to_json()) == told
    record = otflow.data.from_dict([], source=raw)._to_mlflow_entity()
    again = otflow.data.get_source(record)
    assert type(again) is type(source)
    assert again.to_dict() == told


@pytest.mark.parametrize("raw", ["gcs://b/k", "dbfs:/p", "runs:/a/b", "models:/m/1", "hf://d", 1, {"a": 1}, b"x"])
def test_what_nobody_knows_is_refused(raw):
    with pytest.raises(NotFoundError, match="Could not find a source information resolver") as caught:
        source_of(raw)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_a_source_is_taken_as_it_is():
    source = HTTPDatasetSource("https://example.com")
    assert source_of(source) is source


def test_the_program_is_the_source_where_none_is_given():
    source = source_of(None)
    assert isinstance(source, CodeDatasetSource)
    assert set(source.tags) >= {"mlflow.user", "mlflow.source.name", "mlflow.source.type"}
    assert source.to_dict() == {"tags": source.tags}
    assert CodeDatasetSource.from_json(source.to_json()).tags == source.tags
    with pytest.raises(NotImplementedError):
        source.load()


def test_get_source():
    dataset = otflow.data.from_dict([{"x": 1}], source="https://example.com/a")
    entity = dataset._to_mlflow_entity()
    assert otflow.data.get_source(dataset) is dataset.source
    for record in (entity, DatasetInput(entity, [])):
        assert otflow.data.get_source(record).to_dict() == {"url": "https://example.com/a"}
    for wrong in ("x", None):
        with pytest.raises(InvalidParameterError, match="Unrecognized dataset type"):
            otflow.data.get_source(wrong)
    with pytest.raises(NotFoundError, match="zzz"):
        otflow.data.get_dataset_source_from_json("{}", "zzz")
    with pytest.raises(InvalidParameterError, match='"url"'):
        HTTPDatasetSource.from_json("{}")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("spark", {"table_name": "t"}),
        ("delta_table", {"path": "/p"}),
        ("delta_table", {"delta_table_name": "hive_metastore.a.b", "delta_table_version": 3}),
        (
            "delta_table",
            {"delta_table_name": "a.b.c", "is_databricks_uc_table": True, "delta_table_id": "i"},
        ),
        ("uc_volume", {"path": "/Volumes/a/b/c"}),
    ],
)
def test_records_of_sources_that_only_mlflow_loads_are_understood(kind, told):
    source = otflow.data.get_dataset_source_from_json(json.dumps(told), kind)
    assert (source._get_source_type(), source.to_dict()) == (kind, told)
    with pytest.raises(OtflowError) as caught:
        source.load()
    assert caught.value.error_code == "NOT_IMPLEMENTED"


def test_one_place_must_be_named():
    for wrong in ({}, {"path": "/p", "delta_table_name": "t"}):
        with pytest.raises(InvalidParameterError, match="exactly one"):
            DeltaDatasetSource(**wrong)
    for wrong in ({}, {"path": "/p", "sql": "s"}):
        with pytest.raises(InvalidParameterError, match="exactly one"):
            SparkDatasetSource(**wrong)
    with pytest.raises(InvalidParameterError, match="exactly one"):
        otflow.data.load_delta()


def test_what_is_not_there_says_what_to_do():
    for call in (
        lambda: otflow.data.load_delta(path="/p"),
        lambda: otflow.data.from_spark(None),
        lambda: otflow.data.from_tensorflow(None),
    ):
        with pytest.raises(OtflowError, match=r"otflow\.data\.from_") as caught:
            call()
        assert caught.value.error_code == "NOT_IMPLEMENTED"


# -- fetching ---------------------------------------------------------------------------------------


def test_local_files(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("here")
    for raw in (str(file), file.as_uri(), "a.txt"):
        assert source_of(raw).load() == str(file)
    copy = source_of(file).load(dst_path=str(tmp_path / "new" / "place"))
    assert copy == str(tmp_path / "new" / "place" / "a.txt")
    assert pathlib.Path(copy).read_text() == "here"
    assert source_of(file).load(dst_path=str(tmp_path)) == str(file)
    with pytest.raises(MissingFileError, match="nowhere"):
        source_of(tmp_path / "nowhere").load()


def test_local_directories(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").write_text("deep")
    source = source_of(tmp_path / "d")
    assert isinstance(source, FileSystemDatasetSource)
    assert source.uri == str(tmp_path / "d")
    assert source.load() == str(tmp_path / "d")
    copy = pathlib.Path(source.load(dst_path=str(tmp_path / "copy")))
    assert (copy / "e" / "f").read_text() == "deep"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        parts = urlsplit(self.path)
        status = parse_qs(parts.query).get("status")
        if status:
            self.send_error(int(status[0]))
            return
        self.send_response(200)
        for value in parse_qs(parts.query).get("as", []):
            self.send_header("Content-Disposition", value)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"data")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def web():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b.csv", "b.csv"),
        ("/a/b.csv?x=1", "b.csv"),
        ("/", "dataset_source"),
        ("", "dataset_source"),
        ("/a/..%2f..%2fx", "..%2f..%2fx"),
        ("/x?as=" + quote("attachment; filename=n.csv"), "n.csv"),
        ("/x?as=" + quote('attachment; filename="n m.csv"'), "n m.csv"),
        ("/x?as=" + quote("attachment; filename*=UTF-8''n%20m.csv"), "n m.csv"),
    ],
)
def test_web_files(web, tmp_path, path, name):
    local = source_of(web + path).load()
    assert pathlib.Path(local).name == name
    assert pathlib.Path(local).read_bytes() == b"data"
    assert source_of(web + path).load(str(tmp_path / "new")) == str(tmp_path / "new" / name)


@pytest.mark.parametrize("name", ["../n.csv", "/etc/n.csv", "..", "a\\\\b"])
def test_a_server_may_not_choose_the_place(web, name):
    disposition = quote(f'attachment; filename="{name}"')
    with pytest.raises(InvalidParameterError, match="must be a file name"):
        source_of(f"{web}/x?as={disposition}").load()


def test_what_the_web_does_not_give(web):
    for status, kind in ((404, NotFoundError), (503, StoreUnavailableError), (403, OtflowError)):
        with pytest.raises(kind, match=str(status)):
            source_of(f"{web}/x?status={status}").load()
    with pytest.raises(StoreUnavailableError):
        source_of("http://127.0.0.1:1/x").load()


def test_other_places_are_fetched_by_fsspec(tmp_path):
    import fsspec

    from otflow.data.artifact_dataset_sources import ArtifactDatasetSource

    class MemorySource(ArtifactDatasetSource):
        scheme = "memory"

    memory = fsspec.filesystem("memory")
    memory.pipe("/otflow-data-test/d/a.txt", b"far")
    local = MemorySource("memory://otflow-data-test/d/a.txt").load(str(tmp_path))
    assert pathlib.Path(local).read_bytes() == b"far"
    directory = MemorySource("memory://otflow-data-test/d").load()
    assert (pathlib.Path(directory) / "a.txt").read_bytes() == b"far"


# -- kinds of one's own -----------------------------------------------------------------------------


class Cellar(DatasetSource):
    """As it is written for MLflow."""

    def __init__(self, shelf):
        self.shelf = shelf

    @staticmethod
    def _get_source_type():
        return "cellar"

    def load(self):
        return self.shelf

    @staticmethod
    def _can_resolve(raw_source):
        return isinstance(raw_source, str) and raw_source.startswith("cellar:")

    @classmethod
    def _resolve(cls, raw_source):
        return cls(raw_source)

    def to_dict(self):
        return {"shelf": self.shelf}

    @classmethod
    def from_dict(cls, source_dict):
        return cls(source_dict["shelf"])


class Jars(Dataset):
    def _compute_digest(self):
        return "abc"


@pytest.fixture
def cellar(monkeypatch):
    otflow.data.get_registered_sources()
    monkeypatch.setattr(dataset_source_registry._registry, "sources", otflow.data.get_registered_sources())
    dataset_source_registry.register_dataset_source(Cellar)


@pytest.mark.usefixtures("cellar")
def test_a_kind_of_ones_own():
    dataset = otflow.data.from_dict([{"x": 1}], source="cellar:3")
    assert dataset.source.load() == "cellar:3"
    assert otflow.data.get_source(dataset._to_mlflow_entity()).load() == "cellar:3"
    assert Cellar in otflow.data.get_registered_sources()
    only = [HTTPDatasetSource]
    with pytest.raises(NotFoundError):
        dataset_source_registry.resolve_dataset_source("cellar:3", candidate_sources=only)


@pytest.mark.usefixtures("cellar")
def test_of_several_the_last_is_meant_and_said():
    class Deeper(Cellar):
        pass

    dataset_source_registry.register_dataset_source(Deeper)
    with pytest.warns(UserWarning, match="Deeper, Cellar"):
        assert type(source_of("cellar:4")) is Deeper


def test_a_dataset_of_ones_own():
    dataset = Jars(Cellar("s"))
    assert dataset.to_dict() == {
        "name": "dataset",
        "digest": "abc",
        "source": '{"shelf": "s"}',
        "source_type": "cellar",
    }
    assert dataset.schema is None
    assert dataset.profile is None
    assert dataset._to_mlflow_entity().schema is None


def test_a_function_of_ones_own(monkeypatch):
    monkeypatch.setattr(dataset_registry, "_theirs", {})

    def from_jars(name: str | None = None, digest: str | None = None) -> Jars:
        return Jars(Cellar("s"), name, digest)

    assert dataset_registry.register_constructor(from_jars) == "from_jars"
    assert otflow.data.from_jars(name="n").name == "n"
    assert {"from_pandas", "from_jars"} <= set(dataset_registry.get_registered_constructors())
    with pytest.raises(InvalidParameterError, match="load_"):
        dataset_registry.register_constructor(from_jars, "jars")
    with pytest.raises(InvalidParameterError, match="lambda"):
        dataset_registry.register_constructor(lambda name, digest: None, "from_nothing")


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="from_nowhere"):
        otflow.data.from_nowhere  # noqa: B018


# -- only the source is known -----------------------------------------------------------------------


def test_a_dataset_of_which_only_the_source_is_known():
    source = HTTPDatasetSource("https://example.com/a.csv")
    dataset = MetaDataset(source)
    assert dataset.to_dict() == {
        "name": "dataset",
        "digest": dataset.digest,
        "source": '{"url": "https://example.com/a.csv"}',
        "source_type": "http",
    }
    schema = otflow.data.from_dict([{"x": 1}]).schema
    told = json.loads(MetaDataset(source, schema=schema).to_dict()["schema"])
    assert told == {"mlflow_colspec": [{"type": "long", "name": "x", "required": True}]}
    digests = {
        MetaDataset(source).digest,
        MetaDataset(source, name="n").digest,
        MetaDataset(source, schema=schema).digest,
        MetaDataset(HTTPDatasetSource("https://example.com/b.csv")).digest,
    }
    assert len(digests) == 4
    assert MetaDataset(source, digest="d").digest == "d"
    with pytest.raises(InvalidParameterError, match="DatasetSource"):
        MetaDataset("https://example.com")


# -- what is not installed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "extra", "call"),
    [
        ("pandas", "pandas", lambda: otflow.data.from_pandas(None)),
        ("pandas", "pandas", lambda: otflow.data.from_numpy(None)),
        ("polars", "polars", lambda: otflow.data.from_polars(None)),
        ("datasets", "huggingface", lambda: otflow.data.from_huggingface(None)),
        ("datasets", "huggingface", lambda: HuggingFaceDatasetSource("p").load()),
    ],
)
def test_a_package_that_is_not_there_is_named_with_its_extra(monkeypatch, package, extra, call):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=re.escape(f"pip install 'otflow[{extra}]'")):
        call()


class Plugin:
    value = "plugin"
    name = "from_plugin"

    def __init__(self, load):
        self.load = load


def from_plugin(name: str | None = None, digest: str | None = None) -> Jars:
    return Jars(Cellar("p"), name, digest)


def broken():
    raise RuntimeError("broken")


def test_packages_make_themselves_known(monkeypatch, caplog):
    offered = {
        "otflow.dataset_sources": [Plugin(lambda: Cellar), Plugin(broken)],
        "mlflow.dataset_constructor": [Plugin(lambda: from_plugin), Plugin(broken)],
    }
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: offered.get(group, []))
    registry = dataset_source_registry.DatasetSourceRegistry()
    registry.register_entrypoints()
    assert registry.sources == [Cellar]
    monkeypatch.setattr(dataset_registry, "_theirs", {})
    monkeypatch.setattr(dataset_registry, "_entered", False)
    assert otflow.data.from_plugin is from_plugin
    assert caplog.text.count("broken") == 2
