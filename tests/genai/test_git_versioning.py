"""The logged model that stands for the state of a git repository."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
from pathlib import Path

import pytest

import otflow
from otflow.genai import disable_git_model_versioning, enable_git_model_versioning
from otflow.genai.git_versioning import GitInfo, git_info

URL = "https://example.com/team/agent.git"


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, check=True)
    return done.stdout.decode().strip()


def tags_of(context) -> dict[str, str]:
    prefix = "mlflow.source.git."
    return {key.removeprefix(prefix): text for key, text in context.active_model.tags.items() if key.startswith(prefix)}


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """No configuration of the machine's, and no repository around the tests."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    otflow.set_tracking_uri(f"sqlite:///{tmp_path}/store.db")


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    directory = tmp_path / "repository"
    directory.mkdir()
    monkeypatch.chdir(directory)
    git("init", "-q", "-b", "main")
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.com")
    (directory / "agent.py").write_text("a = 1\n")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    git("remote", "add", "origin", URL)
    return directory


class TestWhatIsFound:
    def test_a_clean_tree(self, repository):
        context = enable_git_model_versioning()
        commit = git("rev-parse", "HEAD")
        assert context.info == GitInfo(branch="main", commit=commit, dirty=False, repo_url=URL, diff=None)
        assert tags_of(context) == {"branch": "main", "commit": commit, "dirty": "false", "repoURL": URL}
        assert (context.active_model.status, context.active_model.params) == ("PENDING", {})

    def test_from_a_directory_inside(self, repository, monkeypatch):
        (repository / "agent.py").write_text("a = 2\n")
        (repository / "sub").mkdir()
        monkeypatch.chdir(repository / "sub")
        assert "+a = 2" in enable_git_model_versioning().info.diff

    def test_what_is_changed(self, repository):
        (repository / "agent.py").write_text("a = 2\n")
        context = enable_git_model_versioning()
        assert tags_of(context)["dirty"] == "true"
        assert tags_of(context)["diff"] == context.info.diff
        assert context.info.diff.startswith("diff --git a/agent.py b/agent.py\n")
        assert context.info.diff.endswith("\n-a = 1\n+a = 2")

    def test_what_is_staged_counts_and_what_is_not_tracked_does_not(self, repository):
        (repository / "new.py").write_text("b = 1\n")
        assert enable_git_model_versioning().info.dirty is False
        git("add", "new.py")
        assert enable_git_model_versioning().info.diff.endswith("+b = 1")

    @pytest.mark.parametrize("content", [b"caf\xe9 = 1\n", b"a\0\xff", b""], ids=["latin-1", "binary", "empty"])
    def test_files_that_are_no_utf8(self, repository, content):
        (repository / "agent.py").write_bytes(content)
        context = enable_git_model_versioning()
        assert context.info.dirty
        assert (
            otflow.get_logged_model(context.active_model.model_id).tags["mlflow.source.git.diff"] == context.info.diff
        )

    def test_a_long_diff_is_cut_and_says_so(self, repository, monkeypatch):
        monkeypatch.setattr(git_info, "_DIFF_BYTES", 500)
        (repository / "agent.py").write_text("a = 1\n" * 100_000)
        diff = enable_git_model_versioning().info.diff
        assert len(diff) < 600
        assert diff.endswith("\n… (the diff is longer than 500 bytes: the rest is not kept)")

    def test_what_the_repository_configures_runs_no_programs(self, repository, tmp_path):
        mark = tmp_path / "ran"
        git("config", "diff.external", f"touch {mark};:")
        git("config", "core.fsmonitor", f"touch {mark};:")
        git("config", "diff.noprefix", "true")
        (repository / "agent.py").write_text("a = 2\n")
        assert "--- a/agent.py\n+++ b/agent.py" in enable_git_model_versioning().info.diff
        assert not mark.exists()

    def test_user_names_and_passwords_in_the_url_are_left_out(self, repository, caplog):
        git("remote", "set-url", "origin", "https://ada:hunter2@example.com/x.git")
        context = enable_git_model_versioning()
        assert context.info.repo_url == "https://example.com/x.git"
        assert "hunter2" not in f"{context.info} {context.active_model.tags} {caplog.text}"

    @pytest.mark.parametrize("name", ["upstream", "", None, "--all"])
    def test_a_remote_that_is_not_there(self, repository, caplog, name):
        context = enable_git_model_versioning(name)
        assert context.info.repo_url is None
        assert "repoURL" not in tags_of(context)
        assert f"No remote named {name!r}" in caplog.text

    def test_a_branch_with_a_quote_in_its_name(self, repository):
        git("checkout", "-q", "-b", 'feature/it\'s-"so"')
        first, second = enable_git_model_versioning(), enable_git_model_versioning()
        assert first.info.branch == 'feature/it\'s-"so"'
        assert first.active_model.model_id == second.active_model.model_id


class TestWhichModel:
    def test_the_same_state_is_the_same_model(self, repository):
        assert (
            enable_git_model_versioning().active_model.model_id == enable_git_model_versioning().active_model.model_id
        )

    @pytest.mark.parametrize("change", ["branch", "commit", "dirty", "url", "experiment"])
    def test_another_state_is_another_model(self, repository, change):
        before = enable_git_model_versioning().active_model.model_id
        if change == "branch":
            git("checkout", "-q", "-b", "other")
        elif change == "commit":
            git("commit", "-q", "--allow-empty", "-m", "two")
        elif change == "dirty":
            (repository / "agent.py").write_text("a = 2\n")
        elif change == "url":
            git("remote", "set-url", "origin", "https://example.com/moved.git")
        else:
            otflow.set_experiment("other")
        assert enable_git_model_versioning().active_model.model_id != before

    def test_another_diff_is_the_same_model_whose_tag_is_the_last_one(self, repository):
        (repository / "agent.py").write_text("a = 2\n")
        before = enable_git_model_versioning().active_model.model_id
        (repository / "agent.py").write_text("a = 3\n")
        context = enable_git_model_versioning()
        assert context.active_model.model_id == before
        assert tags_of(context)["diff"].endswith("+a = 3")

    def test_it_belongs_to_the_experiment_of_the_active_run(self, repository):
        other = otflow.create_experiment("other")
        with otflow.start_run(experiment_id=other) as run:
            context = enable_git_model_versioning()
            assert context.active_model.experiment_id == other
            assert context.active_model.source_run_id == run.info.run_id
            assert enable_git_model_versioning().active_model.model_id == context.active_model.model_id

    def test_a_deleted_model_is_not_taken_again(self, repository):
        before = enable_git_model_versioning().active_model.model_id
        otflow.Client().delete_logged_model(before)
        assert enable_git_model_versioning().active_model.model_id != before


class TestBeingActive:
    def test_traces_are_linked_to_it(self, repository):
        context = enable_git_model_versioning()
        with otflow.start_span("request") as span:
            pass
        found = otflow.get_trace(span.trace_id).info.trace_metadata
        assert found["mlflow.modelId"] == context.active_model.model_id

    def test_until_it_is_disabled(self, repository):
        context = enable_git_model_versioning()
        assert otflow.get_active_model_id() == context.active_model.model_id
        assert disable_git_model_versioning() is None
        assert otflow.get_active_model_id() is None
        disable_git_model_versioning()

    def test_until_the_end_of_a_block(self, repository):
        with otflow.set_active_model(name="outer") as outer:
            with contextlib.suppress(ZeroDivisionError), enable_git_model_versioning() as context:
                assert otflow.get_active_model_id() == context.active_model.model_id
                raise ZeroDivisionError
            assert otflow.get_active_model_id() == outer.model_id
            with context:
                assert otflow.get_active_model_id() == context.active_model.model_id
            assert otflow.get_active_model_id() == outer.model_id


class TestWhereThereIsNone:
    def check(self, caplog, words: str) -> None:
        with otflow.set_active_model(name="outer") as outer, caplog.at_level(logging.WARNING, "otflow"):
            context = enable_git_model_versioning()
            assert (context.info, context.active_model) == (None, None)
            with context as entered:
                assert entered is context
            assert otflow.get_active_model_id() == outer.model_id
        assert words in caplog.text
        assert "Git model versioning is disabled" in caplog.text
        assert [model.name for model in otflow.search_logged_models(output_format="list")] == ["outer"]

    def test_outside_of_a_repository(self, tmp_path, caplog):
        self.check(caplog, "Not in a git repository")

    def test_no_commit(self, tmp_path, caplog):
        git("init", "-q", "-b", "main")
        self.check(caplog, "has no commit yet")

    def test_no_branch(self, repository, caplog):
        git("checkout", "-q", "--detach")
        self.check(caplog, "detached HEAD")

    def test_no_files(self, repository, tmp_path, monkeypatch, caplog):
        git("clone", "-q", "--bare", str(repository), str(tmp_path / "bare"))
        monkeypatch.chdir(tmp_path / "bare")
        self.check(caplog, "does not say what has changed")

    def test_no_git(self, repository, monkeypatch, caplog):
        monkeypatch.setenv("PATH", "")
        self.check(caplog, "not installed")

    def test_a_git_that_cannot_be_run(self, repository, tmp_path, monkeypatch, caplog):
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "git").write_bytes(b"\x7fELF no program")
        (tmp_path / "bin" / "git").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        self.check(caplog, "Git cannot be asked")


def test_the_package_shows_its_names():
    import otflow.genai

    assert set(otflow.genai.__all__) <= set(dir(otflow.genai))
    assert otflow.genai.git_versioning.GitContext.__name__ == "GitContext"
    with pytest.raises(AttributeError, match="no_such_name"):
        otflow.genai.no_such_name  # noqa: B018
