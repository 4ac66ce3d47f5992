"""Webhooks, apart from calling them: MLflow's client over a database calls none."""

# A case is easiest to read where every call under test is a lambda.
# ruff: noqa: E731

from __future__ import annotations

from typing import Any

from toolbox import INVALID, Difference, Facts, Toolbox, accident, case, each, value

URL = "https://1.1.1.1/hook"
ONE = ["prompt.created"]
EVERYWHERE = {"MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}


def facts_of(webhook: Any) -> dict[str, Any]:
    """All of a webhook but its id and times; the secret only as far as there is one."""
    return {
        "name": webhook.name,
        "url": webhook.url,
        "events": [str(event) for event in webhook.events],
        "description": webhook.description,
        "status": str(webhook.status),
        "workspace": webhook.workspace,
        "id": type(webhook.webhook_id).__name__,
        "unchanged": webhook.creation_timestamp == webhook.last_updated_timestamp,
    }


@case(
    differs=accident("events None", "secret 5", "status disabled", "status X")
    | {
        "description 5": Difference(INVALID, "MLflow keeps what is no text"),
        "twice": Difference(value(["prompt.created"]), "MLflow leaves it to the database, which refuses it"),
    }
)
def creation(t: Toolbox) -> Facts:
    create = t.client.create_webhook
    made = create("first", URL, ["prompt_tag.set", "model_version.created", "prompt_tag.deleted"])
    yield "type", type(made).__name__
    yield "events are sorted", facts_of(made)
    yield "full", facts_of(create("full", URL, ONE, description="words", secret="s3cret", status="DISABLED"))
    yield "read back", facts_of(t.client.get_webhook(made.webhook_id))
    for name in ("", " ", None, 5, "a", "9", "a.b_c-d", "a b", "a/b", "ä", "-a", "a-", ".a", "a\n", "a" * 63, "a" * 64):
        label = f"name {name}" if len(str(name)) < 20 else f"name of {len(str(name))}"
        yield label, t.outcome(lambda name=name: create(name, URL, ONE).name)
    for events in ([], None, ["foo"], ["foo.created"], ["prompt.foo"], ["registered_model.updated"], "prompt.created"):
        yield f"events {events}", t.outcome(lambda events=events: facts_of(create("e", URL, events))["events"])
    yield "events a tuple", t.outcome(lambda: facts_of(create("e", URL, tuple(ONE)))["events"])
    yield "twice", t.outcome(lambda: facts_of(create("e", URL, ONE * 2))["events"])
    for status in ("ACTIVE", "DISABLED", None, "disabled", "X"):
        yield f"status {status}", t.outcome(lambda status=status: str(create("s", URL, ONE, status=status).status))
    for url in ("", None, 5):
        yield f"url {url}", t.outcome(lambda url=url: create("u", url, ONE).url)
    for secret in ("", 5):
        yield f"secret {secret}", t.outcome(lambda secret=secret: create("s", URL, ONE, secret=secret).name)
    for description in ("", "words " * 1000, 5):
        label = f"description {str(description)[:10]}"
        yield label, t.outcome(lambda text=description: create("d", URL, ONE, description=text).description)
    yield "one name twice", t.outcome(lambda: create("first", URL, ONE).name)


@case(
    differs=each(
        INVALID,
        "it leads into a network, or says who may enter",
        "https://224.0.0.1/",
        "https://[64:ff9b::7f00:1]/",
        "https://user:password@1.1.1.1/",
        " https://1.1.1.1/ ",
        "https://1.1.1.1:99999/",
        "https://1.1.1.1/a b",
    )
)
def addresses(t: Toolbox) -> Facts:
    for url in (
        *("https://1.1.1.1", "https://1.1.1.1/a?b=c#d", "HTTPS://1.1.1.1/", "https://[2606:4700:4700::1111]:8443/"),
        *("http://1.1.1.1/", "ftp://1.1.1.1/", "x", "//1.1.1.1/", "https://", "https:/1.1.1.1", "https://[::1"),
        *("https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://0/"),
        *("https://10.0.0.1/", "https://169.254.169.254/", "https://100.64.0.1/", "https://0x7f000001/"),
        *("https://2130706433/", "https://0.0.0.0/", "https://nowhere.invalid/", "https://[fe80::1]/"),
        *("https://224.0.0.1/", "https://[64:ff9b::7f00:1]/", "https://user:password@1.1.1.1/", " https://1.1.1.1/ "),
        *("https://1.1.1.1:99999/", "https://1.1.1.1/a b"),
    ):
        yield url, t.outcome(lambda url=url: t.client.create_webhook("a", url, ONE).url)


@case(environment=EVERYWHERE)
def addresses_that_are_allowed(t: Toolbox) -> Facts:
    for url in ("http://127.0.0.1/", "https://localhost/", "https://10.0.0.1/", "http://nowhere.invalid/", "ftp://x/"):
        yield url, t.outcome(lambda url=url: t.client.create_webhook("a", url, ONE).url)


@case(differs=accident("status X", "status "))
def changing(t: Toolbox) -> Facts:
    made = t.client.create_webhook("changing", URL, ONE, description="words", secret="s3cret", status="DISABLED")
    change = lambda **what: facts_of(t.client.update_webhook(made.webhook_id, **what))
    yield "nothing", t.outcome(lambda: change()["status"])
    yield "name", t.outcome(lambda: change(name="other")["name"])
    yield "description", t.outcome(lambda: change(description="more")["description"])
    yield "no description", t.outcome(lambda: change(description="")["description"])
    yield "url", t.outcome(lambda: change(url="https://1.0.0.1/x")["url"])
    yield "events", t.outcome(lambda: change(events=["prompt_tag.set", "model_version.created"])["events"])
    yield "status", t.outcome(lambda: change(status="ACTIVE")["status"])
    yield "secret", t.outcome(lambda: change(secret="another")["name"])
    yield "no secret", t.outcome(lambda: change(secret="")["name"])
    for name in ("", " ", "a/b"):
        yield f"name {name}", t.outcome(lambda name=name: change(name=name))
    for url in ("", "ftp://x", "http://1.1.1.1/", "https://127.0.0.1/"):
        yield f"url {url}", t.outcome(lambda url=url: change(url=url))
    for events in ([], ["foo"], ["prompt.updated"]):
        yield f"events {events}", t.outcome(lambda events=events: change(events=events))
    for status in ("X", ""):
        yield f"status {status}", t.outcome(lambda status=status: change(status=status))
    yield "at last", {**facts_of(t.client.get_webhook(made.webhook_id)), "unchanged": None}


@case()
def what_is_not_there(t: Toolbox) -> Facts:
    client = t.client
    gone = client.create_webhook("gone", URL, ONE).webhook_id
    yield "deleting", t.outcome(lambda: client.delete_webhook(gone))
    for label, webhook_id in (("gone", gone), ("nonsense", "x"), ("none", None), ("empty", ""), ("number", 5)):
        yield f"get {label}", t.outcome(lambda an_id=webhook_id: client.get_webhook(an_id))
        yield f"update {label}", t.outcome(lambda an_id=webhook_id: client.update_webhook(an_id, name="x"))
        yield f"delete {label}", t.outcome(lambda an_id=webhook_id: client.delete_webhook(an_id))


@case(differs=accident("at most text"))
def listing(t: Toolbox) -> Facts:
    client = t.client
    while page := client.list_webhooks():
        for webhook in page:
            client.delete_webhook(webhook.webhook_id)
    yield "none", [len(page), page.token is None]
    made = [client.create_webhook(f"listing-{number}", URL, ONE).webhook_id for number in range(5)]
    page = client.list_webhooks()
    yield "type", type(page).__name__ in ("PagedList", "Page")
    yield "all", sorted(webhook.name for webhook in page)
    times = [webhook.creation_timestamp for webhook in page]
    yield "newest first", times == sorted(times, reverse=True)
    sizes, token = [], None
    while True:
        page = client.list_webhooks(max_results=2, page_token=token)
        sizes.append(len(page))
        token = page.token
        if not token:
            break
    yield "pages", sizes
    for count in (0, 1, 1000, 1001, -1):
        yield f"at most {count}", t.outcome(lambda count=count: len(client.list_webhooks(max_results=count)))
    yield "at most text", t.outcome(lambda: client.list_webhooks(max_results="2"))
    yield "token nonsense", t.outcome(lambda: client.list_webhooks(page_token="x"))
    yield "token empty", t.outcome(lambda: len(client.list_webhooks(page_token="")))
    for webhook_id in made:
        client.delete_webhook(webhook_id)
