"""Credentials of servers and of Databricks: found, asked for, tried, kept."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import otflow
from otflow.errors import InvalidParameterError, OtflowError

PASSWORD = "hunter2 %[x]"
TOKEN = "t0ken-0123456789"
BASIC = "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode()


class Server:
    """A server that answers to one user and to one token, or to anybody; it keeps what it was sent."""

    def __init__(self, accepted: tuple[str, ...]) -> None:
        self.sent: list[str | None] = []
        self.accepted = accepted
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                sent = self.headers.get("Authorization")
                outer.sent.append(sent)
                known = not outer.accepted or sent in outer.accepted
                body = json.dumps({"experiments": []}).encode() if known else b"You are not authenticated."
                self.send_response(200 if known else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing: standard error belongs to the test run."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.http.server_port}"
        self.uri = f"http://{self.address}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server((BASIC, f"Bearer {TOKEN}"))
    yield server
    server.close()


@pytest.fixture
def other() -> Iterator[Server]:
    server = Server(())
    yield server
    server.close()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.delenv("OTFLOW_CREDENTIALS_FILE")
    for name in [name for name in os.environ if name.startswith("DATABRICKS_")]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def nobody(monkeypatch) -> Iterator[None]:
    """There is no terminal."""
    with open(os.devnull) as nothing, monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", nothing)
        yield


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def ask_server(uri: str) -> None:
    otflow.set_tracking_uri(uri)
    otflow.search_experiments()


def with_login(server: Server, login: str = "ada:hunter2%20%25%5Bx%5D") -> str:
    return f"http://{login}@{server.address}"


# Answers questions on a terminal of its own; prints what was to be seen there.
TERMINAL = """
import fcntl, os, re, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # the terminal of this session, which getpass opens
import logging; logging.basicConfig(level=logging.INFO)
import otflow
try:
    otflow.login(*sys.argv[1:])
    print("DONE", otflow.get_tracking_uri())
except otflow.OtflowError as error:
    print("ERROR", type(error).__name__, error.error_code, error)
"""


def on_terminal(answers: list[tuple[str, str]], *arguments: str) -> str:
    """What a terminal shows while `login` is called and its questions, of which the ends are given, are answered."""
    import pty

    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-c", TERMINAL, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as running:
            os.close(theirs)
            seen, left = b"", list(answers)
            while True:
                try:
                    data = os.read(ours, 4096)
                except OSError:  # the other side is closed
                    break
                if not data:
                    break
                seen += data
                if left and seen.endswith(left[0][0].encode()):
                    os.write(ours, left.pop(0)[1].encode() + b"\n")
            running.wait(60)
    finally:
        os.close(ours)
    assert left == []
    return seen.decode()


terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo terminals here")


class TestServer:
    def test_credentials_in_the_url_are_tried_and_kept_for_their_server(self, server, home, nobody):
        otflow.login(with_login(server), interactive=False)
        kept = home / ".mlflow" / "credentials"
        assert (mode_of(kept), mode_of(kept.parent)) == (0o600, 0o700)
        assert otflow.get_tracking_uri() == server.uri
        otflow.search_experiments()
        assert server.sent == [BASIC, BASIC]
        values = "mlflow_tracking_username = ada\nmlflow_tracking_password = hunter2 %%[x]\n"
        assert kept.read_text() == f"[mlflow]\nmlflow_tracking_uri = {server.uri}\n{values}\n[{server.uri}]\n{values}"

    def test_they_are_sent_to_no_other_server(self, server, other):
        otflow.login(with_login(server))
        ask_server(other.uri)
        assert other.sent == [None]

    def test_wrong_ones_are_not_kept(self, server, home):
        otflow.set_tracking_uri("sqlite:///x.db")
        with pytest.raises(OtflowError, match="does not accept") as caught:
            otflow.login(with_login(server, "ada:hunter3"), interactive=False)
        assert caught.value.error_code == "UNAUTHENTICATED"
        assert "hunter3" not in repr(caught.value)
        assert otflow.get_tracking_uri() == "sqlite:///x.db"
        assert list(home.iterdir()) == []

    @pytest.mark.usefixtures("nobody")
    @pytest.mark.parametrize("interactive", [False, True])
    def test_what_is_missing_is_named(self, server, home, interactive):
        with pytest.raises(OtflowError, match=r"wants credentials.*OTFLOW_TRACKING_TOKEN") as caught:
            otflow.login(server.uri, interactive=interactive)
        assert caught.value.error_code == "UNAUTHENTICATED"
        assert list(home.iterdir()) == []

    def test_a_server_that_wants_none(self, other, home):
        otflow.login(f"{other.uri}/", interactive=False)
        assert otflow.get_tracking_uri() == other.uri
        assert (other.sent, list(home.iterdir())) == ([None], [])

    @pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_TOKEN", "OTFLOW_TRACKING_TOKEN"])
    def test_the_environment_is_tried_and_not_kept(self, server, home, monkeypatch, variable):
        monkeypatch.setenv(variable, TOKEN)
        otflow.login(server.uri)
        assert (server.sent, list(home.iterdir())) == ([f"Bearer {TOKEN}"], [])
        monkeypatch.setenv(variable, "wrong")
        with pytest.raises(OtflowError) as caught:
            otflow.login(server.uri)
        assert caught.value.error_code == "UNAUTHENTICATED"

    @pytest.mark.parametrize("backend", ["mlflow", "otflow"])
    def test_the_current_server(self, server, backend, nobody):
        with pytest.raises(OtflowError, match="No server to log in to"):
            otflow.login(backend)
        otflow.set_tracking_uri(with_login(server))
        otflow.login(backend)
        assert otflow.get_tracking_uri() == server.uri

    def test_kept_ones_that_are_accepted_need_no_terminal(self, server, other, nobody):
        otflow.login(with_login(server))
        otflow.login(other.uri)
        otflow.login(server.uri, interactive=False)
        server.accepted = (f"Bearer {TOKEN}",)
        with pytest.raises(OtflowError, match=r"does not accept the credentials in .*credentials, and"):
            otflow.login(server.uri, interactive=False)

    def test_a_server_that_is_away(self, home, monkeypatch):
        monkeypatch.setenv("OTFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(otflow.errors.StoreUnavailableError):
            otflow.login("http://ada:pw@127.0.0.1:9")
        assert list(home.iterdir()) == []

    def test_nothing_is_said_of_secrets(self, server, caplog, capsys):
        with caplog.at_level(logging.DEBUG):
            otflow.login(with_login(server))
            otflow.search_experiments()
        otflow.doctor()
        assert PASSWORD not in caplog.text + "".join(capsys.readouterr())
        assert "Logged in" in caplog.text


class TestFileOfMlflow:
    def write(self, home: Path, text: str) -> Path:
        (home / ".mlflow").mkdir()
        path = home / ".mlflow" / "credentials"
        path.write_text(text)
        return path

    def test_it_goes_to_the_tracking_server_alone(self, server, other, home):
        from otflow.store.remote.client import HttpClient
        from otflow.wire.endpoints import SEARCH_EXPERIMENTS

        self.write(home, f"[mlflow]\nMLFLOW_TRACKING_USERNAME = ada\nmlflow_tracking_password = {PASSWORD}\n")
        ask_server(server.uri)
        HttpClient(other.uri).call(SEARCH_EXPERIMENTS, body={})
        assert (server.sent, other.sent) == ([BASIC], [None])

    def test_what_somebody_else_wrote_stays(self, server, home):
        before = "# mine\n[mlflow]\nmlflow_tracking_username = bob ; not a comment\nmlflow_tracking_password = b\n"
        path = self.write(home, before)
        path.chmod(0o644)
        otflow.login(with_login(server))
        assert path.read_text().startswith(f"{before}\n[{server.uri}]\n")
        assert mode_of(path) == 0o600
        otflow.search_experiments()
        assert server.sent[-1] == BASIC

    def test_the_variables_go_before_it(self, server, home, monkeypatch):
        self.write(home, f"[{server.uri}]\nmlflow_tracking_token = wrong\n")
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
        ask_server(server.uri)
        assert server.sent == [BASIC]

    def test_a_change_is_seen(self, server, home):
        path = self.write(home, f"[{server.uri}]\nmlflow_tracking_token = {TOKEN}\n")
        ask_server(server.uri)
        path.write_text(f"[{server.uri}]\nmlflow_tracking_username = ada\nmlflow_tracking_password = {PASSWORD}\n")
        otflow.search_experiments()
        assert server.sent == [f"Bearer {TOKEN}", BASIC]

    @pytest.mark.parametrize("content", [f"{PASSWORD}\n", "[mlflow\nx = 1\n", "[a]\nb\n"])
    def test_a_file_that_is_none_is_said_once_and_not_repeated(self, other, home, caplog, content):
        path = self.write(home, content)
        ask_server(other.uri)
        otflow.search_experiments()
        assert caplog.text.count("are not used") == 1
        assert PASSWORD not in caplog.text
        with pytest.raises(OtflowError, match="no file of sections"):
            otflow.login(with_login(other))
        assert path.read_text() == content


@terminal
class TestTerminal:
    def test_a_user_name_and_a_password(self, server, home):
        shown = on_terminal(
            [("token): ", "ada"), ("Password: ", "wrong"), ("token): ", "ada"), ("Password: ", PASSWORD)], server.uri
        )
        assert f"DONE {server.uri}" in shown
        assert PASSWORD not in shown
        ask_server(server.uri)
        assert server.sent[-1] == BASIC
        assert mode_of(home / ".mlflow" / "credentials") == 0o600

    def test_a_token(self, server, home):
        shown = on_terminal([("token): ", ""), ("Token: ", TOKEN)], server.uri)
        assert f"DONE {server.uri}" in shown
        assert TOKEN not in shown
        assert (home / ".mlflow" / "credentials").read_text() == f"[{server.uri}]\nmlflow_tracking_token = {TOKEN}\n"

    def test_three_wrong_ones(self, server, home):
        shown = on_terminal([("token): ", "ada"), ("Password: ", "x")] * 3, server.uri)
        assert "ERROR OtflowError UNAUTHENTICATED" in shown
        assert not (home / ".mlflow").exists()

    def test_no_answer(self, server):
        assert "the password is missing" in on_terminal([("token): ", "ada"), ("Password: ", "")], server.uri)

    def test_a_server_that_is_asked_for(self, other):
        assert f"DONE {other.uri}" in on_terminal([("https://): ", other.uri)], "otflow")

    def test_databricks(self, home):
        shown = on_terminal([("https://): ", "https://x.cloud/"), ("password): ", TOKEN)])
        assert "DONE sqlite:///" in shown
        assert TOKEN not in shown
        assert (home / ".databrickscfg").read_text() == f"[DEFAULT]\nhost = https://x.cloud\ntoken = {TOKEN}\n"
        assert mode_of(home / ".databrickscfg") == 0o600

    def test_a_profile_of_databricks(self, home):
        path = home / ".databrickscfg"
        default = "; mine\n[DEFAULT]\nhost = https://a\ntoken = a\n\n"
        path.write_text(f"{default}[work]\n# old\nToken = gone\nauth_type = x\n\n[z]\nk=1\n")
        path.chmod(0o664)
        answers = [("https://): ", "https://b"), ("password): ", ""), ("name: ", "ada"), ("Password: ", PASSWORD)]
        assert PASSWORD not in on_terminal(answers, "databricks://work")
        assert path.read_text() == (
            f"{default}[work]\n# old\nauth_type = x\n"
            f"host = https://b\nusername = ada\npassword = {PASSWORD}\n\n[z]\nk=1\n"
        )
        assert mode_of(path) == 0o600

    def test_a_host_that_is_none(self, home):
        assert "InvalidParameterError" in on_terminal([("https://): ", "http://x")])
        assert list(home.iterdir()) == []


class TestDatabricks:
    @pytest.mark.usefixtures("nobody")
    @pytest.mark.parametrize("interactive", [False, True])
    def test_what_is_missing_is_named(self, home, interactive):
        with pytest.raises(OtflowError, match=r"host .* missing in the profile DEFAULT of .*databrickscfg") as caught:
            otflow.login(interactive=interactive)
        assert caught.value.error_code == "INTERNAL_ERROR"
        assert list(home.iterdir()) == []

    @pytest.mark.parametrize(
        "variables",
        [
            {"DATABRICKS_HOST": "https://x", "DATABRICKS_TOKEN": "t"},
            {"DATABRICKS_HOST": "https://x", "DATABRICKS_USERNAME": "u", "DATABRICKS_PASSWORD": "p"},
            {"DATABRICKS_HOST": "https://x", "DATABRICKS_CLIENT_ID": "u", "DATABRICKS_CLIENT_SECRET": "p"},
        ],
    )
    def test_the_environment(self, home, monkeypatch, variables):
        for name, text in variables.items():
            monkeypatch.setenv(name, text)
        before = otflow.get_tracking_uri()
        otflow.login(interactive=False)
        assert (otflow.get_tracking_uri(), list(home.iterdir())) == (before, [])

    @pytest.mark.parametrize(
        "variables",
        [
            {"DATABRICKS_HOST": "https://x"},
            {"DATABRICKS_TOKEN": "t"},
            {"DATABRICKS_HOST": "http://x", "DATABRICKS_TOKEN": "t"},
            {"DATABRICKS_HOST": "https://x", "DATABRICKS_USERNAME": "u"},
            {"DATABRICKS_HOST": "https://x", "DATABRICKS_TOKEN": " "},
        ],
    )
    def test_half_of_it(self, monkeypatch, variables):
        for name, text in variables.items():
            monkeypatch.setenv(name, text)
        with pytest.raises(OtflowError, match="No credentials"):
            otflow.login(interactive=False)

    def test_profiles(self, tmp_path, monkeypatch):
        path = tmp_path / "profiles"
        path.write_text("[DEFAULT]\nhost = https://a\n[work]\nhost = https://b\ntoken = t\n")
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
        otflow.login("databricks://work", interactive=False)
        with pytest.raises(OtflowError, match="token, or username"):  # a profile is no part of another
            otflow.login(interactive=False)
        monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "work")
        otflow.login(interactive=False)

    def test_a_name_that_no_profile_has(self):
        with pytest.raises(InvalidParameterError, match="cannot be named"):
            otflow.login("databricks://a]b", interactive=False)


@pytest.mark.parametrize("backend", ["aws", "", None, 3, "databricks:", "databricks://", "ftp://ada:hush@host"])
def test_an_unsupported_backend(backend):
    with pytest.raises(InvalidParameterError, match="Unsupported backend") as caught:
        otflow.login(backend)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("backend", ["http://", "https://host:port", "http://u:hush@:1"])
def test_a_malformed_url(backend):
    with pytest.raises(InvalidParameterError, match="not of the form") as caught:
        otflow.login(backend)
    assert "hush" not in str(caught.value)
