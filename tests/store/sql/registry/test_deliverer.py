"""From the outbox to the receiver: order, retries, giving up, secrets, workspaces."""

from __future__ import annotations

import logging
import threading

import pytest
from cryptography.fernet import Fernet

from otflow import clock
from otflow.entities import WebhookEvent, WebhookStatus
from otflow.errors import NotFoundError
from otflow.store.opening import open_store
from otflow.store.sql.registry.deliverer import Deliverer
from otflow.store.sql.registry.outbox import emit

MODEL_CREATED = WebhookEvent("registered_model", "created")
LONG_S = 60.0


@pytest.fixture
def store(sql_store, receiver):
    return sql_store


@pytest.fixture
def at_once(monkeypatch):
    """Tries again without a pause."""
    monkeypatch.setattr(Deliverer, "first_pause_s", 0.0)
    monkeypatch.setattr(Deliverer, "jitter_s", 0.0)


@pytest.fixture
def patiently(monkeypatch):
    """Pauses so long that no test sees the end of it."""
    monkeypatch.setattr(Deliverer, "first_pause_s", 1000.0)


def test_a_change_is_told_after_it_happened(store, receiver):
    webhook = store.create_webhook("one", receiver.url(), [MODEL_CREATED], secret="s3cret")
    store.create_registered_model("a model", tags={"k": "v"}, description="words")
    got = receiver.next()
    assert got.is_signed_with("s3cret")
    assert got.said["entity"] == "registered_model"
    assert got.said["action"] == "created"
    assert got.said["data"] == {"name": "a model", "tags": {"k": "v"}, "description": "words"}
    assert webhook.secret is None
    store.deliver_webhooks(LONG_S)
    assert store.count_undelivered() == 0


def test_only_what_a_webhook_listens_to(store, receiver):
    store.create_webhook("one", receiver.url("/prompts"), [WebhookEvent("prompt", "created")])
    store.create_webhook("two", receiver.url("/off"), [MODEL_CREATED], status=WebhookStatus.DISABLED)
    store.create_webhook("three", receiver.url("/models"), [MODEL_CREATED, WebhookEvent("prompt", "created")])
    store.create_registered_model("a model")
    assert [got.path for got in receiver.all(1)] == ["/models"]


def test_a_change_that_fails_tells_nothing(store, receiver):
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])

    def fail(session):
        emit(session, "default", MODEL_CREATED, {"name": "never"})
        raise NotFoundError("no")

    with pytest.raises(NotFoundError):
        store._change(fail)
    assert store.count_undelivered() == 0
    store.create_registered_model("a model")
    assert [got.name for got in receiver.all(1)] == ["a model"]


def test_a_webhook_hears_of_things_in_their_order(store, receiver, answer, put, at_once):
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    put(store, *"abcdefghij")
    for status in (500, 200, 429, 503, 200):
        receiver.answers.put(answer(status))
    assert store.deliver_webhooks(LONG_S) == 10
    got = receiver.all(13)
    assert [one.name for one in got] == list("aabbbcdefghij")
    assert len({one.delivery_id for one in got}) == 10
    assert len({one.delivery_id for one in got if one.name == "b"}) == 1


def test_each_try_is_signed_anew(store, receiver, answer, put, at_once):
    store.create_webhook("one", receiver.url(), [MODEL_CREATED], secret="s3cret")
    put(store, "a")
    receiver.answers.put(answer(500))
    moment = clock.now_ns()
    times = iter(range(1000))
    clock.use(lambda: moment + next(times) * 1_000_000_000)
    try:
        store.deliver_webhooks(LONG_S)
    finally:
        clock.use(None)
    first, second = receiver.all(2)
    assert first.is_signed_with("s3cret")
    assert second.is_signed_with("s3cret")
    assert first.headers["X-MLflow-Timestamp"] < second.headers["X-MLflow-Timestamp"]
    assert first.body == second.body


def test_one_receiver_that_hangs_holds_up_no_other(store, receiver, answer, new_receiver, put):
    slow, go_on = new_receiver(), threading.Event()
    slow.always = answer(200, after=go_on)
    store.create_webhook("slow", slow.url(), [MODEL_CREATED])
    store.create_webhook("quick", receiver.url(), [MODEL_CREATED])
    try:
        store.create_registered_model("a")
        slow.next()
        for name in "bcd":
            store.create_registered_model(name)
        assert [receiver.next().name for _ in range(4)] == list("abcd")
        assert slow.calls.empty()
    finally:
        go_on.set()
    store.deliver_webhooks(LONG_S)
    assert [got.name for got in slow.all(3)] == list("bcd")


def test_no_more_threads_than_are_allowed(store, receiver, answer, monkeypatch):
    monkeypatch.setenv("OTFLOW_WEBHOOK_DELIVERY_MAX_WORKERS", "2")
    go_on = threading.Event()
    receiver.always = answer(200, after=go_on)
    for number in range(4):
        store.create_webhook(f"w{number}", receiver.url(), [MODEL_CREATED])
    store.create_registered_model("a")
    receiver.next()
    receiver.next()
    store.create_registered_model("b")
    assert receiver.calls.empty()
    go_on.set()
    store.deliver_webhooks(LONG_S)
    assert store.count_undelivered() == 0
    assert len(receiver.all(6)) == 6


def test_how_long_it_waits_between_tries(store, receiver, answer, put, outbox, make_due, monkeypatch, caplog):
    monkeypatch.setattr(Deliverer, "first_pause_s", 20.0)
    store.create_webhook("one", receiver.url("/p?token=query-secret"), [MODEL_CREATED], secret="key-secret")
    put(store, "a")
    receiver.always = answer(503, body=b"body-secret")
    for tries, pause_ms in enumerate((20_000, 40_000, 60_000), start=1):
        before = clock.now_ms()
        store.deliver_webhooks(10)
        [(_, attempts, due_ms, claim)] = outbox(store)
        assert (attempts, claim) == (tries, "")
        assert before + pause_ms <= due_ms <= clock.now_ms() + pause_ms + 1_000
        make_due(store)
    with caplog.at_level(logging.WARNING, logger="otflow"):
        assert store.deliver_webhooks(10) == 0
    assert outbox(store) == []
    assert len(receiver.all(4)) == 4
    [record] = caplog.records
    assert "'one'" in record.getMessage()
    assert "gave it up after 4 calls: the answer was HTTP status 503" in record.getMessage()
    assert "secret" not in caplog.text


def test_a_receiver_says_how_long_it_wants_to_be_left_alone(store, receiver, answer, put, outbox, make_due):
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    put(store, "a")
    for wish, least_ms, most_ms in ((120, 120_000, 121_000), (10**9, 300_000, 301_000)):
        receiver.answers.put(answer(429, {"Retry-After": str(wish)}))
        before = clock.now_ms()
        store.deliver_webhooks(10)
        [(_, _, due_ms, _)] = outbox(store)
        assert before + least_ms <= due_ms <= clock.now_ms() + most_ms
        make_due(store)


def test_failures_are_logged_once_and_counted(store, receiver, answer, put, caplog):
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    put(store, *(f"m{number}" for number in range(12)))
    receiver.always = answer(404)
    with caplog.at_level(logging.WARNING, logger="otflow"):
        store.deliver_webhooks(LONG_S)
    assert [("(1 so far" in message, "(10 so far" in message) for message in caplog.messages] == [
        (True, False),
        (False, True),
    ]
    assert len(receiver.all(12)) == 12
    assert store.count_undelivered() == 0


def test_no_retries_where_the_settings_say_so(store, receiver, answer, put, monkeypatch):
    monkeypatch.setenv("OTFLOW_WEBHOOK_REQUEST_MAX_RETRIES", "0")
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    put(store, "a")
    receiver.answers.put(answer(500))
    store.deliver_webhooks(LONG_S)
    assert store.count_undelivered() == 0
    receiver.all(1)


def test_what_is_left_is_told_with_the_next_change(store, receiver, put):
    """Also where the webhook does not listen to that change."""
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    put(store, "left behind")
    store.create_registered_model("p", tags={"mlflow.prompt.is_prompt": "true"})
    assert [got.name for got in receiver.all(1)] == ["left behind"]


def test_a_disabled_webhook_is_told_when_it_is_active_again(store, receiver, put):
    webhook = store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    put(store, "a")
    store.update_webhook(webhook.webhook_id, status=WebhookStatus.DISABLED)
    assert store.deliver_webhooks(LONG_S) == 0
    assert receiver.calls.empty()
    store.update_webhook(webhook.webhook_id, status=WebhookStatus.ACTIVE)
    assert store.deliver_webhooks(LONG_S) == 1


def test_a_deleted_webhook_is_told_nothing_more(store, receiver, put):
    webhook = store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    put(store, "a")
    store.delete_webhook(webhook.webhook_id)
    assert store.count_undelivered() == 0
    assert store.deliver_webhooks(LONG_S) == 0


def test_a_webhook_that_is_deleted_amid_a_change_leaves_nothing(store, uri, receiver):
    webhook = store.create_webhook("one", receiver.url(), [MODEL_CREATED], status=WebhookStatus.ACTIVE)
    other = open_store(uri)
    deleting = threading.Thread(target=lambda: other.delete_webhook(webhook.webhook_id))

    def change(session):
        emit(session, "default", MODEL_CREATED, {"name": "a"})
        deleting.start()

    store._database.write(change)
    deleting.join(LONG_S)
    assert not deleting.is_alive()
    assert store.count_undelivered() == 0
    other.close()


def test_the_url_and_the_secret_of_now_count(store, receiver, put):
    webhook = store.create_webhook("one", receiver.url("/old"), [MODEL_CREATED], secret="old")
    put(store, "a")
    store.update_webhook(webhook.webhook_id, url=receiver.url("/new"), secret="new")
    store.deliver_webhooks(LONG_S)
    got = receiver.next()
    assert got.path == "/new"
    assert got.is_signed_with("new")


def test_an_address_that_is_not_allowed_any_more_is_not_called(store, receiver, put, monkeypatch, caplog):
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    put(store, "a")
    monkeypatch.delenv("OTFLOW_WEBHOOK_ALLOW_PRIVATE_IPS")
    store.deliver_webhooks(LONG_S)
    assert receiver.calls.empty()
    assert store.count_undelivered() == 0
    assert "non-public" in caplog.text


def test_what_cannot_be_signed_is_not_sent(store, receiver, put, outbox, monkeypatch, caplog):
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("OTFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", key)
    store.create_webhook("one", receiver.url(), [MODEL_CREATED], secret="s3cret")
    put(store, "a")
    monkeypatch.delenv("OTFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")
    assert store.deliver_webhooks(10) == 0
    assert receiver.calls.empty()
    [(_, attempts, due_ms, claim)] = outbox(store)
    assert (attempts, claim) == (0, "")
    assert due_ms > clock.now_ms()
    assert "OTFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY" in caplog.text
    monkeypatch.setenv("OTFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", key)
    store._database.write(lambda session: session.run("UPDATE webhook_deliveries SET due_ms = 0"))
    assert store.deliver_webhooks(LONG_S) == 1
    assert receiver.next().is_signed_with("s3cret")


def test_workspaces_do_not_hear_of_each_other(store, receiver, put):
    store.create_webhook("one", receiver.url("/default"), [MODEL_CREATED])
    store.create_workspace("team")
    team = store.in_workspace("team")
    other = team.create_webhook("two", receiver.url("/team"), [MODEL_CREATED])
    assert [webhook.name for webhook in team.list_webhooks()] == ["two"]
    assert other.workspace == "team"
    put(team, "theirs", workspace="team")
    assert [webhook.name for webhook in store.list_webhooks()] == ["one"]
    for refused in (
        lambda: store.get_webhook(other.webhook_id),
        lambda: store.update_webhook(other.webhook_id, name="x"),
        lambda: store.delete_webhook(other.webhook_id),
        lambda: store.test_webhook(other.webhook_id),
    ):
        with pytest.raises(NotFoundError):
            refused()
    put(store, "ours")
    store.deliver_webhooks(LONG_S)
    assert sorted((got.path, got.name) for got in receiver.all(2)) == [("/default", "ours"), ("/team", "theirs")]


def test_closing_tells_what_is_due(sql_store, uri, receiver, monkeypatch):
    monkeypatch.setenv("OTFLOW_WEBHOOK_FLUSH_TIMEOUT", "60")
    sql_store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    for name in "abc":
        sql_store.create_registered_model(name)
    sql_store.close()
    assert [got.name for got in receiver.all(3)] == list("abc")


def test_closing_does_not_wait_for_what_comes_later(sql_store, receiver, answer, monkeypatch, patiently):
    monkeypatch.setenv("OTFLOW_WEBHOOK_FLUSH_TIMEOUT", "50")
    sql_store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    receiver.always = answer(500)
    sql_store.create_registered_model("a")
    receiver.next()
    sql_store.close()  # the test's own time limit would tell


def test_threads_end_when_there_is_nothing_to_tell(store, receiver):
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    store.create_registered_model("a")
    receiver.next()
    threads = [thread for thread in threading.enumerate() if thread.name == "otflow-webhooks"]
    for thread in threads:
        thread.join(LONG_S)
        assert not thread.is_alive()


def test_a_setting_that_is_none_does_not_harm_the_change(store, receiver, put, monkeypatch, caplog):
    store.create_webhook("one", receiver.url(), [MODEL_CREATED])
    monkeypatch.setenv("OTFLOW_WEBHOOK_DELIVERY_MAX_WORKERS", "many")
    store.create_registered_model("a")
    assert store.get_registered_model("a").name == "a"
    assert receiver.next().name == "a"


def test_texts_that_json_escapes_arrive_whole(store, receiver, put):
    name = 'grüße " \\ 🐎 \x01 <&>'
    store.create_webhook("one", receiver.url(), [MODEL_CREATED], secret="s")
    put(store, name)
    store.deliver_webhooks(LONG_S)
    got = receiver.next()
    assert got.name == name
    assert got.is_signed_with("s")
