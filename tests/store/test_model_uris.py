"""`models:/` URIs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.errors import InvalidParameterError
from otflow.store.model_uris import ModelUri, parse_model_uri

MODEL_ID = f"m-{'0' * 32}"


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        (f"models:/{MODEL_ID}", ModelUri(model_id=MODEL_ID)),
        (f"models:/{MODEL_ID}/", ModelUri(model_id=MODEL_ID)),
        (f"models:///{MODEL_ID}", ModelUri(model_id=MODEL_ID)),
        (f"models:/{MODEL_ID}/data/x.bin", ModelUri(model_id=MODEL_ID, path="data/x.bin")),
        ("models:/anything", ModelUri(model_id="anything")),
        ("models:/name/3", ModelUri(name="name", version="3")),
        ("models:///name/3", ModelUri(name="name", version="3")),
        ("models:/name/0", ModelUri(name="name", version="0")),
        ("models:/name/3/MLmodel", ModelUri(name="name", version="3", path="MLmodel")),
        ("models:/name/3/data/", ModelUri(name="name", version="3", path="data/")),
        ("models:/name with space/3", ModelUri(name="name with space", version="3")),
        ("models:/name@champion", ModelUri(name="name", alias="champion")),
        ("models:/name@champion/MLmodel", ModelUri(name="name", alias="champion", path="MLmodel")),
        ("models:/name/latest", ModelUri(name="name", alias="latest")),
        ("models:/name/LATEST/x", ModelUri(name="name", alias="latest", path="x")),
        ("models:/name/Production", ModelUri(name="name", stage="Production")),
        ("models:/name/-1", ModelUri(name="name", stage="-1")),
        ("models:/name/²", ModelUri(name="name", stage="²")),
    ],
)
def test_what_uris_mean(uri: str, meant: ModelUri) -> None:
    assert parse_model_uri(uri) == meant


@pytest.mark.parametrize("uri", ["", "models:", "models:/", "models:name/1", "runs:/x/y", "models:/@a", "models:/a@"])
def test_uris_that_mean_nothing(uri: str) -> None:
    with pytest.raises(InvalidParameterError, match="Not a proper models:/ URI"):
        parse_model_uri(uri)


@given(st.text())
def test_any_text_means_something_or_is_refused(text: str) -> None:
    try:
        meant = parse_model_uri(f"models:/{text}")
    except InvalidParameterError:
        return
    named = [meant.model_id, meant.version, meant.alias, meant.stage]
    assert len([one for one in named if one]) == 1
    assert bool(meant.name) == (meant.model_id is None)
