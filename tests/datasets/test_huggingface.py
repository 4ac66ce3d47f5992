"""Datasets of Hugging Face."""

from __future__ import annotations

import json

import datasets
import pytest

import otflow
from otflow.data.huggingface_dataset_source import HuggingFaceDatasetSource
from otflow.errors import InvalidParameterError


@pytest.fixture
def ds():
    return datasets.Dataset.from_dict({"x": [1, 2], "y": ["a", "b"]}, split="train")


def test_the_record_of_a_dataset_of_the_hub(ds):
    dataset = otflow.data.from_huggingface(
        ds, path="org/name", targets="y", data_dir="d", data_files={"train": "a"}, revision="r", name="n"
    )
    assert dataset.ds is ds
    assert dataset.targets == "y"
    entity = dataset._to_mlflow_entity()
    assert entity.source_type == "hugging_face"
    assert json.loads(entity.source) == {
        "path": "org/name",
        "config_name": None,
        "data_dir": "d",
        "data_files": {"train": "a"},
        "split": "train",
        "revision": "r",
    }
    assert json.loads(entity.profile) == {"num_rows": 2, "dataset_size": None, "size_in_bytes": None}
    assert json.loads(entity.schema)["mlflow_colspec"] == [
        {"type": "long", "name": "x", "required": True},
        {"type": "string", "name": "y", "required": True},
    ]
    source = otflow.data.get_source(entity)
    assert isinstance(source, HuggingFaceDatasetSource)
    assert source.to_dict() == dataset.source.to_dict()


def test_the_digest_is_that_of_the_data_frame(ds):
    digest = otflow.data.from_huggingface(ds).digest
    assert digest == otflow.data.from_pandas(ds.to_pandas()).digest
    assert digest == otflow.data.from_huggingface(ds.with_format("numpy")).digest


def test_rows_beyond_those_looked_at_are_counted():
    digests = {
        otflow.data.from_huggingface(datasets.Dataset.from_dict({"x": list(range(n))})).digest for n in (11_000, 12_000)
    }
    assert len(digests) == 2


def test_an_empty_dataset():
    dataset = otflow.data.from_huggingface(datasets.Dataset.from_dict({"x": []}))
    assert dataset.profile["num_rows"] == 0
    assert dataset._to_mlflow_entity().digest


def test_sources(ds, caplog):
    assert otflow.data.from_huggingface(ds).source._get_source_type() == "code"
    other = otflow.data.from_huggingface(ds, path="p", source="https://example.com/a")
    assert other.source._get_source_type() == "http"
    assert "`path` is left out" in caplog.text


def test_what_is_not_allowed_is_refused(ds):
    with pytest.raises(InvalidParameterError, match="'q'"):
        otflow.data.from_huggingface(ds, targets="q")
    for wrong in ([1], datasets.DatasetDict({"train": ds}), None):
        with pytest.raises(InvalidParameterError, match=r"datasets\.Dataset"):
            otflow.data.from_huggingface(wrong)


def test_load_reads_what_the_source_names(tmp_path):
    (tmp_path / "rows.csv").write_text("x,y\n1,a\n2,b\n")
    source = HuggingFaceDatasetSource("csv", data_files=str(tmp_path / "rows.csv"), split="train")
    again = HuggingFaceDatasetSource.from_json(source.to_json())
    assert again.load(cache_dir=str(tmp_path / "cache"))["y"][:] == ["a", "b"]
