"""Planted secrets: nowhere in the database, its WAL, the spool, logs, other exporters, the terminal and error texts."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

SECRETS = {
    "key": "sk-proj-Q7x2LmN4pR8sT1vW3yZ5aB6cD9eF0gH",
    "mail": "ada.lovelace@example.org",
    "card": "4111 1111 1111 1111",
    "own": "Tr0ub4dor-and-3",
}

PROGRAM = """
import json, logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import otflow
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from otflow.entities import Feedback, SpanEvent
from otflow.tracing.privacy import CREDENTIALS, Rule

S = json.loads(sys.argv[1])
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
api.set_tracer_provider(provider)

class Secret:
    def __repr__(self): return S["own"]
    __str__ = __repr__

if sys.argv[2] == "rules":
    otflow.tracing.set_privacy_rules(
        [*CREDENTIALS, Rule(pattern="email"), Rule(pattern="card"), Rule(type=Secret), Rule(pattern=S["own"])])

every = " and ".join(S.values())

@otflow.trace(attributes={"note": every})
def ask(question, password, secret, image):
    otflow.update_current_trace(request_preview=every)
    if sys.argv[2] == "rules":
        otflow.update_current_trace(tags={"who": S["mail"]}, metadata={"m": S["key"]})
    with otflow.start_span("step") as span:
        span.set_inputs({"messages": [{"role": "user", "content": every}], S["mail"]: 1})
        span.set_outputs({"tool_calls": [{"function": {"arguments": json.dumps({"deep": json.dumps(every)})}}]})
        span.add_event(SpanEvent("said", attributes={"text": every}))
    raise ValueError(f"cannot do {every}")

@otflow.trace
def stream():
    yield every
    yield {"chunk": S["card"]}

list(stream())
try:
    ask(every, S["own"], Secret(), {"url": "data:text/plain;base64," + "QUJD" * 300})
except ValueError:
    pass
trace_id = otflow.get_last_active_trace_id()
if sys.argv[2] == "rules":
    otflow.log_feedback(trace_id=trace_id, value=S["mail"], rationale=every, metadata={"a": S["key"]})
    otflow.set_trace_tag(trace_id, "t", every)
for trace in otflow.search_traces(return_type="list"):
    otflow.tracing.print_trace(trace)
    print(trace.to_json())
print(otflow.search_traces(return_type="pandas").to_string())
"""


def forms_of(secret: str) -> list[bytes]:
    """What a secret may look like in a file."""
    plain = secret.encode()
    return [plain, secret.encode("utf-16-le"), base64.b64encode(plain)[:-4], secret.replace(" ", "%20").encode()]


@pytest.mark.parametrize("how", ["rules", "nothing at all"])
def test_planted_secrets_are_nowhere(tmp_path: Path, how: str) -> None:
    environment = {
        **os.environ,
        "OTFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/t.db",
        "OTFLOW_SPOOL_DIR": str(tmp_path / "spool"),
    }
    if how != "rules":  # tags, which the program sets by name, are no content
        environment["OTFLOW_CAPTURE_CONTENT"] = "false"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(SECRETS), how],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    places = everything(tmp_path, done)
    assert any(name.endswith("t.db") for name in places)
    assert b"ask" in places["stdout"], "nothing was recorded"
    assert leaks_in(places) == []


def everything(tmp_path: Path, done: subprocess.CompletedProcess[bytes]) -> dict[str, bytes]:
    """What a program has written: its output and all files."""
    files = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    return {"stdout": done.stdout, "stderr": done.stderr, **files}


def leaks_in(places: dict[str, bytes]) -> list[tuple[str, str]]:
    return [
        (place, name)
        for place, found in places.items()
        for name, secret in SECRETS.items()
        for form in forms_of(secret)
        if form in found
    ]


@pytest.mark.parametrize("how", ["rules", "nothing at all"])
@pytest.mark.parametrize(("end", "store", "left"), [("killed", "t.db", "t.db-wal"), ("left", "file/t.db", ".spool")])
def test_what_a_process_leaves_unfinished_has_no_secrets(
    tmp_path: Path, how: str, end: str, store: str, left: str
) -> None:
    (tmp_path / "file").write_text("where the directory of a database should be")
    program = PROGRAM.partition("trace_id = ")[0]
    if end == "killed":
        program += "import os\notflow.flush_trace_async_logging()\nos.kill(os.getpid(), 9)"
    environment = {
        **os.environ,
        "OTFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/{store}",
        "OTFLOW_SPOOL_DIR": str(tmp_path / "spool"),
        "OTFLOW_TRACE_FLUSH_TIMEOUT_S": "1",
    }
    if how != "rules":
        environment["OTFLOW_CAPTURE_CONTENT"] = "false"
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(SECRETS), how],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        env=environment,
    )
    places = everything(tmp_path, done)
    [unfinished] = [found for name, found in places.items() if name.endswith(left)]
    assert b"ask" in unfinished
    assert leaks_in(places) == []


# -- one secret for each place -------------------------------------------------------------------------

OWN_DOOR = "own_exporter.json"
"""What the application's exporter has of the spans of other instrumentation is not otflow's to change."""


def _texts_of(folder: Path) -> dict[str, bytes]:
    """All that is in files, and what is packed in the database."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    del found["places.json"]
    with sqlite3.connect(folder / "t.db") as connection:
        rows = [row[0] for row in connection.execute("SELECT body FROM contents")]
        rows += [row[0] for row in connection.execute("SELECT data FROM attachments WHERE number = 0")]
    connection.close()
    for number, row in enumerate(rows):
        packed = isinstance(row, bytes) and row[:1] == b"\x78"
        found[f"row {number}"] = zlib.decompress(row) if packed else row if isinstance(row, bytes) else row.encode()
    return found


@pytest.mark.parametrize("how", ["rules", "nothing at all"])
def test_every_place_has_a_secret_and_none_is_found(tmp_path: Path, how: str) -> None:
    environment = {
        **os.environ,
        "OTFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/t.db",
        "OTFLOW_SPOOL_DIR": str(tmp_path / "spool"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    if how != "rules":
        environment["OTFLOW_CAPTURE_CONTENT"] = "false"
    program = [sys.executable, str(Path(__file__).with_name("planted.py")), how]
    export = [sys.executable, "-m", "otflow", "traces", "export"]
    for number, command in enumerate(
        (program, [*export, "-o", "x.jsonl"], [*export, "--format", "otlp", "-o", "x.otlp"], [*export[:-1], "search"])
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=200, env=environment, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        (tmp_path / f"{number}.txt").write_bytes(done.stdout + b"\n" + done.stderr)
    places: dict[str, str] = json.loads((tmp_path / "places.json").read_text())
    assert len(places) > 50
    found = _texts_of(tmp_path)
    assert len(found["collector.bin"]) > 5_000
    assert found["x.jsonl"].count(b"\n") > 10
    leaks = {
        (place, name)
        for secret, place in places.items()
        for name, text in found.items()
        for form in (secret.encode(), secret.encode("utf-16-le"), base64.b64encode(secret.encode())[:-4])
        if form in text and not (name == OWN_DOOR and ("foreign" in place or "OpenTelemetry" in place))
    }
    assert leaks == set()
    # What is spread over several items of a stream is in no text, but in what they are together.
    items = re.findall(rb'mlflow\.chunk\.value[^{}]{0,40}?\\"([^\\"]{0,40})\\"', found["x.jsonl"])
    text = next(secret for secret, place in places.items() if place == "item")
    assert text.encode() not in b"".join(items)
    assert how != "rules" or b"so " in items
