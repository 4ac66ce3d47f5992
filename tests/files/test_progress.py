"""What is to be seen of a long transfer."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from otflow.files import progress as module
from otflow.files.opening import open_repository
from otflow.files.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def transfer(total: int | None = 4_000_000) -> None:
    with Progress("Uploading artifacts", total) as progress:
        source = progress.watch(io.BytesIO(b"x" * 4_000_000))
        while source.read(1_000_000):
            pass


def test_a_bar_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(module, "_SILENT_S", 0.0)
    transfer()
    assert "Uploading artifacts: 100%" in terminal.getvalue()


def test_none_where_nobody_looks_where_it_is_short_and_where_it_is_not_wanted(monkeypatch):
    quiet = io.StringIO()
    monkeypatch.setattr(sys, "stderr", quiet)
    monkeypatch.setattr(module, "_SILENT_S", 0.0)
    transfer()
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    transfer()
    monkeypatch.delenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR")
    monkeypatch.setattr(module, "_SILENT_S", 60.0)
    transfer()
    assert quiet.getvalue() == terminal.getvalue() == ""


@pytest.mark.parametrize(("total", "said"), [(4_000_000, "of 4.0 MB"), (None, "1.0 MB in")])
def test_a_line_in_the_log_now_and_then(monkeypatch, caplog, total, said):
    monkeypatch.setattr(module, "_SILENT_S", 0.0)
    monkeypatch.setattr(module, "_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO, "otflow"):
        transfer(total)
    assert caplog.messages[0].startswith("Uploading artifacts: 1.0")
    assert said in caplog.messages[0]


@pytest.mark.parametrize("place", ["there", "memory://progress/there"])
def test_files_of_a_repository_are_counted(monkeypatch, caplog, tmp_path, place):
    monkeypatch.setattr(module, "_SILENT_S", 0.0)
    monkeypatch.setattr(module, "_EVERY_S", 0.0)
    (tmp_path / "here").mkdir()
    for name in "abc":
        (tmp_path / "here" / name).write_bytes(b"x" * 1_000_000)
    repository = open_repository(place)
    with caplog.at_level(logging.INFO, "otflow"):
        repository.log_artifacts(str(tmp_path / "here"))
        repository.download_artifacts("", str(tmp_path / "copy"))
    for doing in ("Uploading", "Downloading"):
        assert any(line.startswith(f"{doing} artifacts: 3.0 of 3.0 MB") for line in caplog.messages)


def test_what_is_read_once_more_is_counted_once(monkeypatch, caplog):
    monkeypatch.setattr(module, "_SILENT_S", 0.0)
    monkeypatch.setattr(module, "_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO, "otflow"), Progress("Uploading artifacts", 2_000_000) as progress:
        source = progress.watch(io.BytesIO(b"x" * 2_000_000))
        source.read()
        source.seek(0)
        source.read()
    assert caplog.messages[-1].startswith("Uploading artifacts: 2.0 of 2.0 MB")
