"""Several processes at one outbox: those that end, are killed, fork, and those that deliver at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import defaultdict

import pytest

from otflow.entities import WebhookEvent
from otflow.store.opening import open_store

MODEL_CREATED = WebhookEvent("registered_model", "created")
LONGEST_S = 120


def start(code: str, *arguments: object, **variables: str) -> subprocess.Popen[str]:
    """A process that runs this, with what the settings allow here."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )


def finished(process: subprocess.Popen[str]) -> str:
    """What a process has printed, after it has ended well."""
    out, err = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 0, err
    return out


CREATES = """
    import sys
    from otflow.store.opening import open_store

    store = open_store(sys.argv[1])
    for name in sys.argv[2:]:
        store.create_registered_model(name)
    print("done", flush=True)
"""


def test_a_process_that_ends_tells_before(uri, receiver):
    store = open_store(uri)
    store.create_webhook("one", receiver.url(), [MODEL_CREATED], secret="s3cret")
    finished(start(CREATES, uri, "a", "b", "c", OTFLOW_WEBHOOK_FLUSH_TIMEOUT="60"))
    got = receiver.all(3)
    assert [one.name for one in got] == ["a", "b", "c"]
    assert all(one.is_signed_with("s3cret") for one in got)
    assert store.count_undelivered() == 0
    store.close()


def test_what_a_process_leaves_the_next_one_delivers(uri, receiver, answer):
    store = open_store(uri)
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    go_on = threading.Event()
    receiver.always = answer(503, after=go_on)
    finished(start(CREATES, uri, "a", "b", OTFLOW_WEBHOOK_FLUSH_TIMEOUT="0"))
    assert store.count_undelivered() == 2
    receiver.always = None
    go_on.set()
    finished(start(CREATES, uri, "c", OTFLOW_WEBHOOK_FLUSH_TIMEOUT="60"))
    assert store.count_undelivered() == 0
    names: dict[str, str] = {}
    while "c" not in names.values():  # "a" perhaps twice: the first process may have called, and not seen the answer
        got = receiver.next()
        names.setdefault(got.delivery_id, got.name)
    assert list(names.values()) == ["a", "b", "c"]
    store.close()


def test_a_killed_process_is_taken_over(uri, receiver, answer):
    store = open_store(uri)
    store.create_webhook("one", receiver.url(), [MODEL_CREATED], secret="s3cret")
    go_on = threading.Event()
    receiver.answers.put(answer(200, after=go_on))
    victim = start(CREATES + "    input()\n", uri, "a", "b")
    first = receiver.next()
    assert victim.stdout is not None
    assert victim.stdout.readline() == "done\n"
    assert store.deliver_webhooks(0) == 0  # its process lives: nobody else delivers it
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=LONGEST_S)
    store.deliver_webhooks(LONGEST_S)
    go_on.set()
    again, second = receiver.all(2)
    assert first.name == again.name == "a"
    assert first.delivery_id == again.delivery_id
    assert second.name == "b"
    assert again.is_signed_with("s3cret")
    assert store.count_undelivered() == 0
    store.close()


def test_a_claim_ends_at_its_time_where_nobody_knows_the_process(uri, receiver, put, make_due):
    store = open_store(uri)
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    put(store, "a")
    far_away = f"elsewhere|system|1|1|{2**33}"
    store._database.write(
        lambda session: session.run("UPDATE webhook_deliveries SET claim = ?, due_ms = ?", (far_away, 2**43))
    )
    assert store.deliver_webhooks(0.05) == 0
    assert receiver.calls.empty()
    make_due(store)
    assert store.deliver_webhooks(LONGEST_S) == 1
    store.close()


DELIVERS = """
    import sys
    from otflow.store.opening import open_store

    store = open_store(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    while store.count_undelivered():
        store.deliver_webhooks(60)
    store.close()
"""


def test_two_processes_deliver_each_event_once(uri, receiver, put):
    store = open_store(uri)
    for number in range(4):
        store.create_webhook(f"w{number}", receiver.url(f"/{number}"), [MODEL_CREATED])
    names = [f"m{number:02}" for number in range(15)]
    put(store, *names)
    processes = [start(DELIVERS, uri) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        finished(process)
    got = receiver.all(60)
    assert len({one.delivery_id for one in got}) == 60
    by_path: dict[str, list[str]] = defaultdict(list)
    for one in got:
        by_path[one.path].append(one.name)
    assert by_path == {f"/{number}": names for number in range(4)}
    store.close()


FORKS = """
    import os, sys
    import otflow

    store = otflow.Client(sys.argv[1])._registry()
    assert "otflow.tracing.exporter" in sys.modules  # brings the stores to rest around a fork
    store.create_registered_model("parent 1")
    sys.stdin.readline()  # the call is under way
    child = os.fork()
    if child == 0:
        store.create_registered_model("child")
        left = store.deliver_webhooks(0)
        store.close()
        os._exit(0)
    os.waitpid(child, 0)
    store.create_registered_model("parent 2")
    print("forked", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_amid_a_call(uri, receiver, answer):
    store = open_store(uri)
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    go_on = threading.Event()
    receiver.answers.put(answer(200, after=go_on))
    process = start(FORKS, uri, OTFLOW_WEBHOOK_FLUSH_TIMEOUT="60", PYTHONWARNINGS="ignore")
    receiver.next()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert store.count_undelivered() >= 1
    threading.Timer(0.0, go_on.set).start()
    finished(process)
    assert [got.name for got in receiver.all(2)] == ["child", "parent 2"]
    assert store.count_undelivered() == 0
    store.close()


WITHOUT_THREADS = """
    import sys, threading
    from otflow.store.opening import open_store

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    threading.Thread.start = refuse
    store = open_store(sys.argv[1])
    store.create_registered_model("a")
    store.create_registered_model("b")
    assert store.count_undelivered() == 2
    assert store.deliver_webhooks(60) == 2
"""


def test_where_no_thread_can_be_started_any_more(uri, receiver):
    """As when Python ends: from 3.12 on it lets nobody start one then."""
    store = open_store(uri)
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    finished(start(WITHOUT_THREADS, uri))
    assert [got.name for got in receiver.all(2)] == ["a", "b"]
    store.close()


UNTOUCHED = """
    import sys, threading
    from otflow.store.opening import open_store

    store = open_store(sys.argv[1])
    store.create_registered_model("a")
    assert threading.active_count() == 1, threading.enumerate()
    assert "otflow.store.sql.registry.deliverer" not in sys.modules
    assert "otflow.store.sql.registry.calling" not in sys.modules
"""


def test_programs_without_webhooks_pay_nothing(tmp_path):
    finished(start(UNTOUCHED, f"sqlite:///{tmp_path}/t.db"))


def test_an_event_that_nobody_hears_costs_one_statement(tmp_path, put):
    store = open_store(f"sqlite:///{tmp_path}/t.db")
    seen: list[str] = []
    store._database.write(lambda session: session.connection.set_trace_callback(seen.append))
    put(store, "a")
    assert [statement.split()[0] for statement in seen if "webhooks" in statement] == ["SELECT"]
    plan = store._database.write(
        lambda session: session.all("EXPLAIN QUERY PLAN SELECT webhook_id FROM webhooks WHERE workspace = 'default'")
    )
    assert "webhooks_by_workspace" in str(plan)
    store.close()
