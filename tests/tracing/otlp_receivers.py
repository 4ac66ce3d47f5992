"""A collector for tests, in a process of its own: OTLP by HTTP (protobuf and JSON) and by gRPC.

    python otlp_receivers.py [--port N] [--certificate FILE [--clients FILE]] http|grpc OUTPUT [ANSWER ...]

Prints its port, then answers the requests one after the other as told: `ok`, `503` (any HTTP status), `503:1` (with
Retry-After), `partial:2:why`, and for gRPC the name of a status, `UNAVAILABLE`, or `RESOURCE_EXHAUSTED:0.2` (with
RetryInfo); `hang` (no answer), and for HTTP `drop` (the connection is closed), `endless` (an answer without end),
`page` (200, with a page for people), `to:URL` (a redirect); then all of the rest with `ok`. What it took is written to
OUTPUT, one JSON object a line. With --certificate, it speaks TLS; with --clients, to those only whose certificate is of
that authority.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import gzip
import http.server
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Receiver:
    """A collector that runs, and what it got."""

    def __init__(
        self,
        kind: str,
        directory: Path,
        *answers: str,
        port: int = 0,
        certificate: Path | None = None,
        clients: Path | None = None,
    ) -> None:
        self.output = directory / f"{kind}-{time.monotonic_ns()}.jsonl"
        self.output.touch()
        command = [sys.executable, __file__, "--port", str(port)]
        command += ["--certificate", str(certificate)] if certificate else []
        command += ["--clients", str(clients)] if clients else []
        command += [kind, str(self.output), *answers]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def requests(self, at_least: int = 0) -> list[dict[str, Any]]:
        """What it got until now; waits until it is as much."""
        deadline = time.monotonic() + 20
        while True:
            found = [json.loads(line) for line in self.output.read_text().splitlines()]
            if len(found) >= at_least or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    def taken(self) -> list[Any]:
        """The spans of the requests that it answered with ok, as otflow reads them."""
        from otflow.wire.otlp import decode_spans

        bodies = [base64.b64decode(request["body"]) for request in self.requests() if request["answer"] == "ok"]
        return [span for body in bodies for span in decode_spans(body)]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _note(output: str, **what: Any) -> None:
    with open(output, "a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


def _serve_http(options: argparse.Namespace) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    output: str = options.output
    answers: list[str] = options.answers

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            is_json = self.headers["Content-Type"] == "application/json"
            if is_json:
                from otflow.wire.otlp_json import request_from_json

                body = request_from_json(json.loads(body))
            answer = answers.pop(0) if answers else "ok"
            headers = {name.lower(): value for name, value in self.headers.items()}
            _note(output, path=self.path, headers=headers, answer=answer, body=base64.b64encode(body).decode())
            if answer in _UNFINISHED:
                self.unfinished(answer)
                return
            response: Any = ExportTraceServiceResponse()
            status, _, pause = answer.partition(":")
            if status == "to":
                self.send_response(307)
                self.send_header("Location", pause)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if status == "partial":
                count, _, why = pause.partition(":")
                response.partial_success.rejected_spans = int(count)
                response.partial_success.error_message = why
                status, pause = "200", ""
            self.send_response(200 if status == "ok" else int(status))
            if pause:
                self.send_header("Retry-After", pause)
            content = b"{}" if is_json else response.SerializeToString()
            self.send_header("Content-Type", "application/json" if is_json else "application/x-protobuf")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def unfinished(self, answer: str) -> None:
            self.close_connection = True
            if answer == "hang":
                time.sleep(600)
            if answer == "drop":
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Sign in</h1>")
            with contextlib.suppress(OSError):
                while answer == "endless":
                    self.wfile.write(b"." * 100)
                    time.sleep(0.05)

        def log_message(self, *arguments: Any) -> None:
            del arguments

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *arguments: Any) -> None:
            del arguments  # clients that hang up

    server = Server(("127.0.0.1", options.port), Handler)
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=options.clients)
        context.load_cert_chain(options.certificate)
        context.verify_mode = ssl.CERT_REQUIRED if options.clients else ssl.CERT_NONE
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_port, flush=True)  # noqa: T201 - read by `Receiver`
    server.serve_forever()


_UNFINISHED = ("hang", "drop", "endless", "page")


def _serve_grpc(options: argparse.Namespace) -> None:
    from concurrent import futures

    import grpc
    from google.protobuf.any_pb2 import Any as Packed
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    output: str = options.output
    answers: list[str] = options.answers

    def export(body: bytes, context: Any) -> bytes:
        answer = answers.pop(0) if answers else "ok"
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        _note(output, headers=headers, answer=answer, body=base64.b64encode(body).decode())
        response: Any = ExportTraceServiceResponse()
        kind, _, rest = answer.partition(":")
        if kind == "hang":
            time.sleep(600)
        if kind == "partial":
            count, _, why = rest.partition(":")
            response.partial_success.rejected_spans = int(count)
            response.partial_success.error_message = why
        elif kind != "ok":
            if rest:
                info, packed = RetryInfo(), Packed()
                info.retry_delay.FromNanoseconds(int(float(rest) * 1e9))
                packed.Pack(info)
                details = Status(code=8, details=[packed]).SerializeToString()
                context.set_trailing_metadata([("grpc-status-details-bin", details)])
            context.abort(grpc.StatusCode[kind], "as told")
        return response.SerializeToString()

    name = "opentelemetry.proto.collector.trace.v1.TraceService"
    handler = grpc.method_handlers_generic_handler(name, {"Export": grpc.unary_unary_rpc_method_handler(export)})
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    address = f"127.0.0.1:{options.port}"
    if options.certificate:
        chain = Path(options.certificate).read_bytes()
        clients = Path(options.clients).read_bytes() if options.clients else None
        credentials = grpc.ssl_server_credentials([(chain, chain)], clients, options.clients is not None)
        port = server.add_secure_port(address, credentials)
    else:
        port = server.add_insecure_port(address)
    server.start()
    print(port, flush=True)  # noqa: T201 - read by `Receiver`
    server.wait_for_termination()


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--clients")
    parser.add_argument("kind")
    parser.add_argument("output")
    parser.add_argument("answers", nargs="*")
    options = parser.parse_args()
    (_serve_http if options.kind == "http" else _serve_grpc)(options)


if __name__ == "__main__":
    _main()
