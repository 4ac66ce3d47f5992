"""Paths of artifacts stay below the root, whatever is in them."""

from __future__ import annotations

import os
import pathlib
import posixpath
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.errors import InvalidParameterError
from otflow.files.local import LocalRepository
from otflow.files.paths import below, checked_path, inner_path, is_name

PARTS = st.sampled_from(
    [
        "..",
        ".",
        "",
        "a",
        "b c",
        "%2e%2e",
        "%2E.",
        "..%2f",
        "%252e%252e",
        "..\\",
        "\\",
        "C:",
        "c:\\",
        "\0",
        "ü",
        "#",
        "?",
    ]
)
PATHS = st.lists(PARTS, max_size=6).map("/".join) | st.text(max_size=20)

ELSEWHERE = [
    "..",
    "../a",
    "a/../../b",
    "/a",
    "/",
    "//host/a",
    "%2e%2e/a",
    "%2E%2e%2fa",
    "%252e%252e/a",
    "a/%2e%2e/%2e%2e/b",
    "%2fetc/passwd",
    "..\\a",
    "a\\..\\..\\b",
    "\\\\host\\a",
    "C:\\a",
    "c:/a",
    "a\0b",
]


@pytest.mark.parametrize("path", ELSEWHERE)
@pytest.mark.parametrize("check", [checked_path, inner_path])
def test_a_path_that_leads_elsewhere_is_refused_with_its_name(check, path):
    with pytest.raises(InvalidParameterError, match="Invalid artifact path") as raised:
        check(path)
    assert repr(path) in str(raised.value)


@pytest.mark.parametrize(
    "path", ["a", "a/b", "a b/ü#?&.txt", ".hidden", "..a/b..", "a%20b", "a%2fb", "100%", "a:b", "~"]
)
def test_a_path_that_says_what_it_means_is_taken_as_it_is(path):
    assert checked_path(path) == inner_path(path) == path


@pytest.mark.parametrize(
    ("path", "means"),
    [("./a", "a"), ("a//b", "a/b"), ("a/../b", "b"), ("a/", "a"), ("a/./b", "a/b"), (".", ""), ("a/..", "")],
)
def test_a_path_that_means_another_below_the_root(path, means):
    assert inner_path(path) == means
    with pytest.raises(InvalidParameterError, match="resolve"):
        checked_path(path)


def test_the_root_and_what_is_no_path():
    assert checked_path(None) == inner_path("") == ""
    assert checked_path(pathlib.PurePosixPath("a/b")) == "a/b"
    for wrong in (5, b"a", ["a"]):
        with pytest.raises(InvalidParameterError, match="string"):
            inner_path(wrong)
    for nameless in (None, "", ".", "a/.."):
        with pytest.raises(InvalidParameterError, match="name"):
            inner_path(nameless, empty=False)


@given(PATHS)
def test_nothing_escapes_the_root(path):
    try:
        found = inner_path(path)
    except InvalidParameterError:
        return
    root = os.path.abspath("root")
    place = LocalRepository(root, root).local_path(found)
    assert place == root or os.path.commonpath([root, os.path.normpath(place)]) == root
    assert os.path.normpath(place) == place.rstrip("/")
    assert inner_path(found) == found


@given(PATHS)
def test_what_is_refused_is_refused_encoded_too(path):
    try:
        inner_path(path)
    except InvalidParameterError:
        if "\0" not in path:
            with pytest.raises(InvalidParameterError):
                inner_path(quote(path, safe=""))


@given(st.text(max_size=10))
def test_a_name_is_one_step_down(name):
    if is_name(name):
        assert posixpath.normpath(f"root/{name}") == f"root/{name}"
        assert "\0" not in name


@pytest.mark.parametrize(
    ("location", "joined"),
    [
        ("/a b", "/a b/x/y"),
        ("/a#b?c", "/a#b?c/x/y"),
        ("/", "//x/y"),
        ("s3://bucket", "s3://bucket/x/y"),
        ("s3://bucket/p/", "s3://bucket/p/x/y"),
        ("s3://bucket/p?k=1", "s3://bucket/p/x/y?k=1"),
        ("file:///a#f", "file:///a/x/y#f"),
        ("mlflow-artifacts:/2", "mlflow-artifacts:/2/x/y"),
    ],
)
def test_a_location_with_something_below(location, joined):
    assert below(location, "x", "", "y") == joined
    assert below(location) == location
