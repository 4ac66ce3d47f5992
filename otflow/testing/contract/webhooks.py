"""Webhooks: what is kept of them. Whether they are called is another matter: stores on a server leave it to that."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any, Final

import pytest

from otflow.entities import Webhook, WebhookEvent, WebhookStatus
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.store.interface import Store
from otflow.testing.contract.making import ContractTests

__all__ = ["WebhookContract"]

_URL: Final = "https://1.1.1.1/hook?a=b"
"""An address that any store allows; nothing is ever sent there."""
_CREATED: Final = WebhookEvent("model_version", "created")
_SET: Final = WebhookEvent("prompt_tag", "set")
_DELETED: Final = WebhookEvent("prompt_tag", "deleted")
_SECRET, _OTHER_SECRET = "s3cret", "an0ther"
_ABSENT: Final = "00000000-0000-0000-0000-000000000000"


def _name() -> str:
    return f"hook-{secrets.token_hex(8)}"


class WebhookContract(ContractTests):
    """Webhooks."""

    @pytest.fixture
    def webhook(self, store: Store) -> Iterator[Webhook]:
        """A webhook that is never called."""
        made = store.create_webhook(
            _name(), _URL, [_SET], description="words", secret=_SECRET, status=WebhookStatus.DISABLED
        )
        yield made
        with contextlib.suppress(NotFoundError):  # the test has done so
            store.delete_webhook(made.webhook_id)

    # -- making and reading ------------------------------------------------------------------------

    def test_a_webhook_comes_back(self, store: Store, webhook: Webhook) -> None:
        assert store.get_webhook(webhook.webhook_id) == webhook
        assert (webhook.url, webhook.description, webhook.status) == (_URL, "words", WebhookStatus.DISABLED)
        assert webhook.events == [_SET]
        assert webhook.workspace == "default"
        assert webhook.creation_timestamp == webhook.last_updated_timestamp > 0

    def test_a_secret_never_comes_back(self, store: Store, webhook: Webhook) -> None:
        changed = store.update_webhook(webhook.webhook_id, secret=_OTHER_SECRET)
        listed = [one for one in store.list_webhooks() if one.webhook_id == webhook.webhook_id]
        for one in (webhook, changed, store.get_webhook(webhook.webhook_id), *listed):
            assert one.secret is None
            assert _SECRET not in repr(one)
            assert _OTHER_SECRET not in repr(one)

    def test_a_webhook_is_active_unless_said_otherwise(self, store: Store) -> None:
        made = store.create_webhook(_name(), _URL, [_CREATED])
        store.delete_webhook(made.webhook_id)
        assert made.status is WebhookStatus.ACTIVE
        assert made.description is None

    def test_events_are_kept_once_and_in_order(self, store: Store) -> None:
        made = store.create_webhook(_name(), _URL, [_SET, _CREATED, _DELETED, _SET], status=WebhookStatus.DISABLED)
        assert made.events == [_CREATED, _DELETED, _SET]
        assert store.get_webhook(made.webhook_id).events == [_CREATED, _DELETED, _SET]
        store.delete_webhook(made.webhook_id)

    def test_two_webhooks_may_have_one_name(self, store: Store, webhook: Webhook) -> None:
        made = store.create_webhook(webhook.name, _URL, [_SET], status=WebhookStatus.DISABLED)
        assert made.webhook_id != webhook.webhook_id
        store.delete_webhook(made.webhook_id)

    @pytest.mark.parametrize("name", ["a", "A.b_c-9", "9" * 63])
    def test_names_of_webhooks(self, store: Store, name: str) -> None:
        made = store.create_webhook(name, _URL, [_SET], status=WebhookStatus.DISABLED)
        assert made.name == name
        store.delete_webhook(made.webhook_id)

    @pytest.mark.parametrize("name", [None, 5, "", " ", "a b", "a/b", "ä", "-a", "a-", ".a", "a\n", "a" * 64])
    def test_names_that_no_webhook_has(self, store: Store, webhook: Webhook, name: Any) -> None:
        with pytest.raises(InvalidParameterError, match="name"):
            store.create_webhook(name, _URL, [_SET])
        if name is not None:
            with pytest.raises(InvalidParameterError, match="name"):
                store.update_webhook(webhook.webhook_id, name=name)
        assert store.get_webhook(webhook.webhook_id) == webhook

    @pytest.mark.parametrize(
        "url",
        [None, 5, "", "  ", "x", "ftp://1.1.1.1", "https://", "http://1.1.1.1/", "https://127.0.0.1/", "https://[::1"],
    )
    def test_urls_that_no_webhook_has(self, store: Store, webhook: Webhook, url: Any) -> None:
        with pytest.raises(InvalidParameterError):
            store.create_webhook(_name(), url, [_SET])
        if url is not None:
            with pytest.raises(InvalidParameterError):
                store.update_webhook(webhook.webhook_id, url=url)
        assert store.get_webhook(webhook.webhook_id) == webhook

    @pytest.mark.parametrize("events", [None, [], "prompt.created", [5], ["nonsense"], ["prompt.updated"], [None]])
    def test_events_that_are_none(self, store: Store, webhook: Webhook, events: Any) -> None:
        with pytest.raises(InvalidParameterError):
            store.create_webhook(_name(), _URL, events)
        if events is not None:
            with pytest.raises(InvalidParameterError):
                store.update_webhook(webhook.webhook_id, events=events)
        assert store.get_webhook(webhook.webhook_id) == webhook

    @pytest.mark.parametrize("more", [{"secret": 5}, {"description": 5}, {"status": "active"}, {"status": 5}])
    def test_other_arguments_that_are_none(self, store: Store, webhook: Webhook, more: Any) -> None:
        with pytest.raises(InvalidParameterError):
            store.create_webhook(_name(), _URL, [_SET], **more)
        with pytest.raises(InvalidParameterError):
            store.update_webhook(webhook.webhook_id, **more)
        assert store.get_webhook(webhook.webhook_id) == webhook

    # -- changing ----------------------------------------------------------------------------------

    def test_a_change_leaves_the_rest(self, store: Store, webhook: Webhook) -> None:
        name = _name()
        renamed = store.update_webhook(webhook.webhook_id, name=name)
        assert renamed.last_updated_timestamp >= webhook.last_updated_timestamp
        expected = {**dict(webhook), "name": name, "last_updated_timestamp": renamed.last_updated_timestamp}
        assert dict(renamed) == expected
        assert store.get_webhook(webhook.webhook_id) == renamed

    def test_all_can_be_changed(self, store: Store, webhook: Webhook) -> None:
        changes: dict[str, Any] = {
            "name": _name(),
            "description": "other words",
            "url": "https://1.0.0.1/other",
            "events": [_CREATED, _DELETED],
            "status": WebhookStatus.ACTIVE,
        }
        changed = store.update_webhook(webhook.webhook_id, **changes)
        store.update_webhook(webhook.webhook_id, status=WebhookStatus.DISABLED)
        assert {key: getattr(changed, key) for key in changes} == changes

    def test_a_change_of_nothing(self, store: Store, webhook: Webhook) -> None:
        changed = store.update_webhook(webhook.webhook_id)
        assert changed.name == webhook.name
        assert changed.status is WebhookStatus.DISABLED

    def test_a_description_can_be_emptied(self, store: Store, webhook: Webhook) -> None:
        assert store.update_webhook(webhook.webhook_id, description="").description == ""
        store.update_webhook(webhook.webhook_id, secret="")

    # -- what is not there -------------------------------------------------------------------------

    @pytest.mark.parametrize("webhook_id", [_ABSENT, "x", "", None, 5, "a/b", "../x", "."])
    def test_a_webhook_that_is_not_there(self, store: Store, webhook_id: Any) -> None:
        for refused in (
            lambda: store.get_webhook(webhook_id),
            lambda: store.update_webhook(webhook_id, name="x"),
            lambda: store.delete_webhook(webhook_id),
            lambda: store.test_webhook(webhook_id),
        ):
            with pytest.raises(NotFoundError):
                refused()

    def test_deleting(self, store: Store, webhook: Webhook) -> None:
        store.delete_webhook(webhook.webhook_id)
        with pytest.raises(NotFoundError, match=webhook.webhook_id):
            store.get_webhook(webhook.webhook_id)
        with pytest.raises(NotFoundError):
            store.delete_webhook(webhook.webhook_id)

    # -- listing -----------------------------------------------------------------------------------

    def test_pages_of_webhooks(self, store: Store) -> None:
        made = [store.create_webhook(_name(), _URL, [_SET], status=WebhookStatus.DISABLED).webhook_id for _ in range(5)]
        seen: list[Webhook] = []
        token: str | None = None
        while True:
            page = store.list_webhooks(max_results=2, page_token=token)
            assert len(page) <= 2
            seen += page
            token = page.token
            if token is None:
                break
        times = [webhook.creation_timestamp for webhook in seen]
        assert times == sorted(times, reverse=True)
        assert sorted(webhook.webhook_id for webhook in seen if webhook.webhook_id in made) == sorted(made)
        assert list(store.list_webhooks(max_results=0)) == list(store.list_webhooks())
        for webhook_id in made:
            store.delete_webhook(webhook_id)

    @pytest.mark.parametrize(
        "arguments",
        [{"max_results": -1}, {"max_results": 1001}, {"max_results": "2"}, {"max_results": True}, {"page_token": "x"}],
    )
    def test_arguments_of_a_list_of_webhooks(self, store: Store, arguments: dict[str, Any]) -> None:
        with pytest.raises(InvalidParameterError):
            store.list_webhooks(**arguments)
