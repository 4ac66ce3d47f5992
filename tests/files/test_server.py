"""Artifacts that a server keeps, and files behind URLs: against an HTTP server that misbehaves where it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from otflow.errors import InvalidParameterError, MissingFileError, OtflowError, StoreUnavailableError
from otflow.files.opening import open_repository
from otflow.files.server import ServerRepository

ROOT = "/api/2.0/mlflow-artifacts/artifacts"


class Artifacts(ThreadingHTTPServer):
    """Keeps files in memory; what `troubles` has is done instead of an answer, one for each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.troubles: list[Callable[[Handler], None]] = []
        self.headers: list[dict[str, str]] = []
        self.listing: dict[str, Any] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Artifacts

    def log_message(self, *arguments: Any) -> None:
        pass

    def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        return found

    def serve(self) -> None:
        self.server.headers.append(dict(self.headers))
        content = self.body()
        if self.server.troubles:
            self.server.troubles.pop(0)(self)
            return
        url, files = urlsplit(self.path), self.server.files
        path = unquote(url.path.removeprefix(ROOT).lstrip("/"))
        if self.command == "PUT":
            files[path] = content
            self.answer(200)
        elif self.command == "DELETE":
            for name in [name for name in files if name == path or name.startswith(f"{path}/")]:
                del files[name]
            self.answer(200)
        elif url.path.rstrip("/") == ROOT:
            self.answer(200, json.dumps(self.server.listing or self.listed(parse_qs(url.query)["path"][0])).encode())
        elif path in files:
            self.answer(200, files[path])
        else:
            self.answer(500, json.dumps({"error_code": "INTERNAL_ERROR", "message": "it failed"}).encode())

    def listed(self, path: str) -> dict[str, Any]:
        found: dict[str, dict[str, Any]] = {}
        for name, content in self.server.files.items():
            if name.startswith(f"{path}/"):
                first, _, rest = name[len(path) + 1 :].partition("/")
                found[first] = {"path": first, "is_dir": bool(rest), **({} if rest else {"file_size": len(content)})}
        return {"files": list(found.values())} if found else {}

    do_GET = do_PUT = do_DELETE = serve  # noqa: N815


@pytest.fixture
def server() -> Iterator[Artifacts]:
    with Artifacts() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(30)


@pytest.fixture
def repository(server: Artifacts) -> ServerRepository:
    found = open_repository("mlflow-artifacts:/1/run/artifacts", tracking_uri=server.uri)
    assert isinstance(found, ServerRepository)
    return found


def overloaded(handler: Handler) -> None:
    handler.answer(503, b"busy", Retry_After="0")


def broken_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


class TestServer:
    def test_there_and_back(self, server, repository, tmp_path):
        repository.write("d/a b.txt", b"1")
        repository.write("empty", b"")
        (tmp_path / "many").mkdir()
        for number in range(20):
            (tmp_path / "many" / str(number)).write_text(str(number))
        repository.log_artifacts(str(tmp_path / "many"), "m")
        assert server.files["1/run/artifacts/d/a b.txt"] == b"1"
        assert [(info.path, info.is_dir, info.file_size) for info in repository.list_artifacts()] == [
            ("d", True, None),
            ("empty", False, 0),
            ("m", True, None),
        ]
        copy = Path(repository.download_artifacts("", str(tmp_path / "to")))
        assert sorted(path.name for path in (copy / "m").iterdir()) == sorted(map(str, range(20)))
        assert (copy / "m" / "7").read_text() == "7"
        assert repository.read("empty") == b""
        repository.delete_artifacts("m")
        assert repository.list_artifacts("m") == []

    def test_an_upload_that_is_tried_again_is_whole(self, server, repository, tmp_path):
        with (tmp_path / "big").open("wb+") as stream:
            stream.write(b"x" * 5 + b"y" * 300_000)
            stream.seek(5)
            server.troubles += [overloaded, overloaded]
            repository.write("rest", stream)

        class Pipe:
            def __init__(self) -> None:
                self.parts = [b"a" * 1000, b"b", b""]

            def read(self, size: int = -1) -> bytes:
                return self.parts.pop(0)

        server.troubles += [overloaded]
        repository.write("piped", Pipe())
        assert server.files["1/run/artifacts/rest"] == b"y" * 300_000
        assert server.files["1/run/artifacts/piped"] == b"a" * 1000 + b"b"

    def test_a_download_that_breaks_off_is_begun_again(self, server, repository, tmp_path):
        server.files["1/run/artifacts/f"] = b"content"
        server.listing = {"files": []}
        listings = 2  # of the path, and of its parent
        server.troubles += [lambda handler: handler.answer(200, b"{}")] * listings + [broken_off]
        path = repository.download_artifacts("f", str(tmp_path / "to"))
        assert Path(path).read_bytes() == b"content"

    def test_one_that_always_breaks_off_leaves_nothing(self, server, repository, tmp_path):
        server.files["1/run/artifacts/f"] = b"content"
        server.troubles += [lambda handler: handler.answer(200, b"{}")] * 2 + [broken_off] * 3
        with pytest.raises(StoreUnavailableError, match="broke off"):
            repository.download_artifacts("f", str(tmp_path / "to"))
        assert list((tmp_path / "to").iterdir()) == []

    def test_what_is_missing_and_what_has_failed(self, server, repository):
        with pytest.raises(MissingFileError, match="'nothing'"):
            repository.read("nothing")
        server.files["1/run/artifacts/f"] = b"content"
        failure = json.dumps({"error_code": "INTERNAL_ERROR", "message": "it failed"}).encode()
        server.troubles.append(lambda handler: handler.answer(500, failure))
        with pytest.raises(OtflowError, match="it failed"):
            repository.read("f")

    @pytest.mark.parametrize("name", ["../../evil", "..", "/etc/evil", "a/b", "", "x\0", "d/../../evil"])
    def test_a_listing_that_leads_elsewhere_is_refused(self, server, repository, tmp_path, name):
        server.listing = {"files": [{"path": name, "is_dir": False, "file_size": 1}]}
        for path in ("", "d"):
            with pytest.raises(OtflowError, match="lists"):
                repository.download_artifacts(path, str(tmp_path / "a" / "b"))
        assert not list(tmp_path.rglob("*evil*"))

    def test_credentials(self, server, repository, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
        repository.write("a", b"x")
        assert server.headers[-1]["Authorization"] == "Bearer secret"

    def test_a_server_in_the_uri_goes_before_the_tracking_uri(self, server):
        host = server.uri.removeprefix("http://")
        for tracking_uri in (None, "sqlite:///a.db", "http://127.0.0.1:9"):
            open_repository(f"mlflow-artifacts://{host}/2/#x?", tracking_uri=tracking_uri).write("a", b"x")
        assert server.files == {"2/#x?/a": b"x"}

    def test_one_that_is_away(self, monkeypatch):
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(StoreUnavailableError):
            open_repository("mlflow-artifacts://127.0.0.1:9/1").write("a", b"x")


class TestWeb:
    def test_a_file_behind_a_url(self, server, tmp_path):
        server.files["data/ü b.csv"] = b"1,2"
        url = f"{server.uri}/data/%C3%BC%20b.csv?version=1/2#top"
        path = open_repository(url).download_artifacts("", str(tmp_path / "to"))
        assert path == str(tmp_path / "to" / "ü b.csv")
        assert Path(path).read_bytes() == b"1,2"

    def test_what_cannot_be_done(self, server, tmp_path):
        repository = open_repository(f"{server.uri}/a?key=secret")
        with pytest.raises(InvalidParameterError, match="reading only") as raised:
            repository.write("b", b"x")
        assert "secret" not in str(raised.value)
        with pytest.raises(InvalidParameterError):
            repository.delete_artifacts("b")
        with pytest.raises(OtflowError, match="500") as raised:
            repository.download_artifacts("")
        assert "secret" not in str(raised.value)
        server.troubles.append(lambda handler: handler.answer(404))
        with pytest.raises(MissingFileError):
            repository.download_artifacts("", str(tmp_path / "to"))
        with pytest.raises(StoreUnavailableError):
            open_repository("http://127.0.0.1:9/a").download_artifacts("")
