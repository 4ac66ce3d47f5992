"""Files of credentials: what is changed in them, what stays, and who may read them."""

from __future__ import annotations

import configparser
import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.errors import InvalidParameterError, OtflowError
from otflow.store.remote.credentials import Credentials, origin_of
from otflow.store.remote.profiles import read_profiles, write_profiles

NAMES = st.sampled_from(["DEFAULT", "work", "https://[::1]:5000", "mlflow"])
KEYS = st.sampled_from(["token", "host", "Host", "other key"])
PLAIN = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1)
LINES = st.one_of(
    st.builds("[{}]".format, NAMES),
    st.builds("{0}{1}{2}{3}".format, st.sampled_from(["", "", " "]), KEYS, st.sampled_from(["=", " = ", ":"]), PLAIN),
    st.builds("{0}{1}".format, st.sampled_from(["", "  ", "\t"]), st.sampled_from(["", "# [work]", "; a = 1", "more"])),
    st.builds(" [{}]".format, NAMES),
)


@given(
    lines=st.lists(LINES, max_size=12),
    section=NAMES,
    values=st.dictionaries(st.sampled_from(["token", "host"]), st.none() | PLAIN),
)
def test_other_sections_and_keys_stay(lines, section, values):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "file")
        Path(path).write_text("\n".join(lines), encoding="utf-8")
        try:
            wanted = read_profiles(path)
        except OtflowError:
            with pytest.raises(OtflowError):
                write_profiles(path, {section: values})
            assert Path(path).read_text(encoding="utf-8") == "\n".join(lines)
            return
        write_profiles(path, {section: values})
        old = {key: text for key, text in wanted.get(section, {}).items() if key not in values}
        wanted[section] = old | {key: text for key, text in values.items() if text is not None}
        assert {name: kept for name, kept in read_profiles(path).items() if kept} == {
            name: kept for name, kept in wanted.items() if kept
        }
        assert os.listdir(directory) == ["file"]


def test_comments_blank_lines_and_order_stay(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"# top\r\n\r\n[a]\r\nx = 1\r\n\r\n; between\r\n[b]\r\ntoken: old\r\n  goes on\r\n# last\r\n")
    write_profiles(str(path), {"b": {"token": "new"}, "a": {"y": "2"}, "c": {"z": "3"}})
    assert path.read_text() == "# top\n\n[a]\nx = 1\n\n; between\ny = 2\n[b]\n# last\ntoken = new\n\n[c]\nz = 3\n"


def test_the_standard_library_reads_it_as_we_do(tmp_path):
    path = str(tmp_path / "file")
    write_profiles(path, {"mlflow": {"password": "a%b;c#d=e:[f]"}})
    parser = configparser.RawConfigParser()
    parser.read(path)
    assert parser.get("mlflow", "password") == "a%b;c#d=e:[f]"


@pytest.mark.parametrize("value", ["", " a", "a ", "a\nb", "a\rb", "a\x00", "\u2028"])
def test_what_such_a_file_cannot_hold(tmp_path, value):
    with pytest.raises(InvalidParameterError, match=r"^token may not"):
        write_profiles(str(tmp_path / "file"), {"a": {"token": value}})
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed_and_stays_one(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("[a]\nx = 1\n")
    link.symlink_to(target)
    write_profiles(str(link), {"a": {"x": "2"}})
    assert link.is_symlink()
    assert target.read_text() == "[a]\nx = 2\n"


def test_directories_are_made_for_their_owner(tmp_path):
    old = os.umask(0)
    try:
        write_profiles(str(tmp_path / "new" / "file"), {"a": {"x": "1"}})
    finally:
        os.umask(old)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "new/file")]
    assert modes == [0o700, 0o600]


def test_a_file_that_cannot_be_replaced_stays(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OtflowError, match="cannot be read") as caught:
        write_profiles(str(tmp_path / "file"), {"a": {"x": "1"}})
    assert caught.value.error_code == "IO_ERROR"
    (tmp_path / "plain").write_text("")
    with pytest.raises(OtflowError, match=r"cannot be (read|written)"):
        write_profiles(str(tmp_path / "plain" / "file"), {"a": {"x": "1"}})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "plain"]


def test_no_text(tmp_path):
    (tmp_path / "file").write_bytes(b"\xff\xfe")
    with pytest.raises(OtflowError, match="UTF-8"):
        read_profiles(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("http://Host", "http://host"),
        ("HTTPS://u:p@host:443/path?x", "https://host"),
        ("http://host:443", "http://host:443"),
        ("http://[::1]:5000/", "http://[::1]:5000"),
        ("sqlite:///x.db", None),
        ("http://", None),
        ("http://host:x", None),
    ],
)
def test_which_server_a_uri_names(uri, origin):
    assert origin_of(uri) == origin


def test_secrets_are_not_shown():
    assert "hush" not in repr(Credentials("ada", "hush", "hush"))
