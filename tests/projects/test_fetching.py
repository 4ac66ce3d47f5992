"""Projects from repositories and archives."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import otflow
from otflow.errors import ExecutionError, InvalidParameterError, OtflowError
from otflow.projects import fetching, git

pytestmark = pytest.mark.usefixtures("tracking")


def tags_of(submitted) -> dict[str, str]:
    tags = otflow.get_run(submitted.run_id).data.tags
    keys = ("mlflow.source.name", "mlflow.source.git.commit", "mlflow.source.git.branch", "mlflow.source.git.repoURL")
    return {key.rpartition(".")[2]: tags[key] for key in keys if key in tags}


def run_locally(uri, **more):
    return otflow.run(str(uri), env_manager="local", **more)


@pytest.mark.parametrize(
    ("version", "word", "branch"),
    [
        (None, "second", None),
        ("side", "side", "side"),
        ("main", "second", "main"),
        ("v1", "first", None),
        ("refs/heads/side", "side", "side"),
        ("first", "first", None),
        ("short", "first", None),
    ],
)
def test_a_repository_is_run_at_a_version(repository, bare, seen, version, word, branch):
    asked = {"first": repository.commits["first"], "short": repository.commits["first"][:8]}.get(version, version)
    submitted = run_locally(bare, version=asked)
    found = seen.read()
    assert found["argv"] == ["show.py", word]
    assert not Path(found["cwd"]).exists(), "the copy is deleted"
    expected = {"name": str(bare), "commit": repository.commits[word], "repoURL": str(bare)}
    assert tags_of(submitted) == (expected if branch is None else {**expected, "branch": branch})


def test_a_working_tree_is_run_as_it_is(repository, seen):
    directory = repository.directory
    (directory / "show.py").write_text((directory / "show.py").read_text() + "\n# changed\n")
    submitted = run_locally(directory)
    assert seen.read()["cwd"] == str(directory)
    assert tags_of(submitted) == {"name": directory.as_uri(), "commit": repository.commits["second"]}
    submitted = run_locally(directory / "sub")
    assert tags_of(submitted)["name"] == f"{directory.as_uri()}#sub"
    submitted = run_locally(f"{directory}#sub")
    assert tags_of(submitted)["name"] == f"{directory}#sub"


def test_a_directory_that_becomes_a_repository(repository, seen):
    directory = repository.directory
    os.rename(directory / ".git", directory / "elsewhere")
    assert "commit" not in tags_of(run_locally(directory))
    os.rename(directory / "elsewhere", directory / ".git")
    assert tags_of(run_locally(directory))["commit"] == repository.commits["second"]


def test_another_version_leaves_the_working_tree_alone(repository, seen):
    directory = repository.directory
    (directory / "note.txt").write_text("not committed")
    submitted = run_locally(directory, version="side")
    assert seen.argv == ["show.py", "side"]
    assert tags_of(submitted)["repoURL"] == str(directory)
    assert (directory / "note.txt").read_text() == "not committed"
    assert (
        subprocess.run(
            ["git", "branch", "--show-current"], cwd=directory, capture_output=True, text=True, check=True, timeout=60
        ).stdout
        == "main\n"
    )
    submitted = run_locally(directory / "sub", version="v1")
    assert seen.argv == ["show.py", "sub"]
    assert tags_of(submitted)["commit"] == repository.commits["first"]


@pytest.fixture
def served(tmp_path):
    """A plain web server: what is in its directory, and where that is."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *given: object) -> None:
            pass

    (tmp_path / "served").mkdir(exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "served")))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield tmp_path / "served", f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_repository_behind_a_plain_web_server(bare, served, repository, seen):
    place = f"{served[1]}/bare.git"
    submitted = run_locally(f"http://user:secret@{place}#sub", version="v1")
    assert seen.argv == ["show.py", "sub"]
    assert tags_of(submitted) == {
        "name": f"http://{place}#sub",
        "commit": repository.commits["first"],
        "repoURL": f"http://{place}",
    }
    with pytest.raises(ExecutionError, match="git fetch") as caught:
        run_locally(f"http://user:secret@{place}x")
    assert "secret" not in str(caught.value)


def test_a_zip_file_behind_a_web_server(served, project, seen):
    directory = project(files={"MLproject": "entry_points: {main: {command: python show.py zip}}"})
    with zipfile.ZipFile(served[0] / "packed.zip", "w") as packed:
        for name in ("MLproject", "show.py"):
            packed.write(directory / name, f"inner/{name}")
    submitted = run_locally(f"http://{served[1]}/packed.zip#inner")
    assert seen.argv == ["show.py", "zip"]
    assert tags_of(submitted) == {"name": f"http://{served[1]}/packed.zip#inner"}


def test_what_a_repository_has_not(bare):
    for version in ("nope", "0" * 40, "abcdef12"):
        with pytest.raises(ExecutionError, match=f"version '{version}'"):
            run_locally(bare, version=version)
    with pytest.raises(ExecutionError, match="subdirectory 'other'"):
        run_locally(f"{bare}#other")


@pytest.mark.parametrize(
    "uri",
    [
        "ext::sh -c 'touch owned'",
        "EXT::sh -c x",
        "fd::17",
        "ftp://example.com/a.git",
        "transport::https://a/b",
        "s3://a/b",
    ],
)
def test_other_transports_are_refused(uri, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InvalidParameterError, match=r"transport .*allowed are file, git, http, https, ssh"):
        run_locally(uri)
    assert sorted(tmp_path.iterdir()) == before


def test_a_transport_can_be_allowed_and_forbidden(monkeypatch, bare, seen):
    monkeypatch.setenv("OTFLOW_PROJECT_GIT_PROTOCOLS", "ext, file")
    run_locally(f"ext::git %s {bare}")
    assert seen.argv == ["show.py", "second"]
    with pytest.raises(InvalidParameterError, match="'ssh'; allowed are ext, file"):
        run_locally("git@example.com:a/b.git")


@pytest.mark.parametrize(
    ("uri", "protocol"),
    [
        ("https://example.com/a.git", "https"),
        ("ssh://git@example.com/a", "ssh"),
        ("git+ssh://example.com/a", "git+ssh"),
        ("git@github.com:a/b.git", "ssh"),
        ("host:a/b", "ssh"),
        ("git://example.com/a", "git"),
        ("file:///a", "file"),
        ("./a:b", None),
        ("/a/b", None),
        ("a/b", None),
        ("a", None),
    ],
)
def test_transports_are_told_apart(uri, protocol):
    assert git.transport(uri) == protocol


@pytest.mark.parametrize("uri", ["-oProxyCommand=touch:x", "a@-oProxyCommand=x:y", "-x"])
def test_no_host_is_an_option(uri):
    assert git.transport(uri) is None


@pytest.mark.parametrize("uri", ["ssh://-oProxyCommand=x/a", "ssh://git@-oProxyCommand=x/a", "git://-x/a"])
def test_no_host_of_a_url_is_an_option(uri):
    with pytest.raises(InvalidParameterError, match="option"):
        git.transport(uri)


@pytest.mark.parametrize("uri", ["https://a/\nb", "ssh://a b/c", "a:b\tc", "https://a/\x1b[31m"])
def test_no_uri_holds_blanks(uri):
    with pytest.raises(InvalidParameterError, match="blank"):
        git.transport(uri)


@settings(max_examples=60)
@given(
    st.text(max_size=12) | st.sampled_from(["-x", "--upload-pack=x", "a..b", "HEAD~1", "a b", "a\nb", "@{1}", ".git"])
)
def test_a_version_is_a_name_that_git_takes(version):
    try:
        git.check_version(version)
    except InvalidParameterError:
        return
    done = subprocess.run(["git", "check-ref-format", f"refs/heads/{version}"], capture_output=True, timeout=60)
    assert done.returncode == 0
    assert not version.startswith("-")


@pytest.mark.parametrize("subdirectory", ["..", "../x", "a/../..", "./sub", "/etc", "sub/..", "link", "a\\..\\.."])
def test_a_subdirectory_does_not_lead_out(project, subdirectory, seen):
    directory = project(files={"sub/x.py": "", "a/x.py": ""})
    os.symlink("/etc", directory / "link")
    with pytest.raises(ExecutionError, match="subdirectory"):
        run_locally(f"{directory}#{subdirectory}", entry_point="x.py")


@pytest.mark.parametrize("name", ["MLproject", "script.py", "python_env.yaml"])
def test_links_do_not_lead_out_of_a_project(project, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text("entry_points: {main: {command: 'true'}}")
    directory = project(files={"MLproject": None})
    os.symlink(secret, directory / name)
    with pytest.raises(ExecutionError, match="inside of the project"):
        run_locally(directory, entry_point="script.py" if name == "script.py" else "main")


def test_environment_variables_of_git_do_not_lead_elsewhere(bare, monkeypatch, seen, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    run_locally(bare)
    assert seen.argv == ["show.py", "second"]


def test_a_zip_file_is_a_project(project, seen, tmp_path):
    directory = project(files={"MLproject": "entry_points: {main: {command: python show.py zip}}"})
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name in ("MLproject", "show.py"):
            packed.write(directory / name, name)
        packed.writestr("../outside.txt", "x")
    for uri in (str(path), path.as_uri()):
        submitted = run_locally(uri)
        assert tags_of(submitted) == {"name": str(path)}
        assert seen.argv == ["show.py", "zip"]
    assert not (tmp_path / "outside.txt").exists()
    with pytest.raises(ExecutionError, match="only supported for Git"):
        run_locally(path, version="v1")
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(InvalidParameterError, match="zip file"):
        run_locally(tmp_path / "other.txt")


def test_a_large_archive_is_not_unpacked(project, tmp_path, monkeypatch):
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", b"\0" * 10_000)
    monkeypatch.setattr(fetching, "_MOST_UNPACKED", 9_999)
    with pytest.raises(ExecutionError, match="10,000 bytes"):
        run_locally(path)


def test_without_git_it_says_so(bare, tmp_path):
    code = (
        f"import otflow\ntry:\n    otflow.run({str(bare)!r})\n"
        "except otflow.errors.ExecutionError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env={"PATH": ""}, timeout=60
    )
    assert "git, which is not installed" in done.stdout, done.stderr


def test_nothing_is_left_behind_when_it_fails(bare, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for more in ({"version": "nope"}, {"entry_point": "nope"}, {"parameters": {"$": 1}}, {"experiment_id": "9"}):
        with pytest.raises(OtflowError):
            run_locally(bare, **more)
    assert list((tmp_path / "temporary").iterdir()) == []
