"""A proxy that counts the requests that go through it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import requests

__all__ = ["CountingProxy"]


class CountingProxy:
    """Passes requests on to a server and notes each, as `GET /path`.

    Args:
        target: The URI of the server.
    """

    def __init__(self, target: str) -> None:
        self.seen: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            session: ClassVar[requests.Session] = requests.Session()

            def pass_on(self) -> None:
                proxy.seen.append(f"{self.command} {self.path.partition('?')[0]}")
                length = int(self.headers.get("Content-Length") or 0)
                answer = self.session.request(
                    self.command,
                    target + self.path,
                    data=self.rfile.read(length),
                    headers={key: value for key, value in self.headers.items() if key.lower() != "host"},
                    timeout=30,
                )
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = pass_on  # noqa: N815

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @contextmanager
    def requests_of_call(self) -> Iterator[list[str]]:
        """The requests that are made inside of the `with` statement."""
        self.seen.clear()
        found: list[str] = []
        yield found
        found += self.seen

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
