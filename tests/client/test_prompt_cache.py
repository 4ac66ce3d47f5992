"""What `load_prompt` keeps in memory: for how long, how much, and what is forgotten when."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from otflow.client import prompt_cache as module
from otflow.client.prompt_cache import PromptCache, Reference, done_before, place, reference, undone
from otflow.entities.model_registry import PromptVersion
from otflow.errors import InvalidParameterError

PLACE = "http://somewhere"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def cache() -> PromptCache:
    return PromptCache()


def version(number: int = 1, name: str = "p", **more: Any) -> PromptVersion:
    return PromptVersion(name, number, "Hi {{ name }}", **more)


def put(cache: PromptCache, wanted: Reference, prompt: PromptVersion, ttl_s: float | None = None) -> None:
    cache.put(PLACE, wanted, prompt, cache.epoch, ttl_s)


ALIAS = Reference("p", None, "production")
LATEST = Reference("p", None, "latest")
ONE = Reference("p", 1, None)


class TestReferences:
    @pytest.mark.parametrize(
        ("name", "number", "found"),
        [
            ("p", None, LATEST),
            ("p", 1, ONE),
            ("p", "1", ONE),
            ("prompts:/p/1", None, ONE),
            ("prompts:/p@production", None, ALIAS),
            ("prompts:/p@LATEST", None, LATEST),
            ("prompts:/a.b-c_d/12", None, Reference("a.b-c_d", 12, None)),
        ],
    )
    def test_what_names_a_version(self, name: str, number: Any, found: Reference):
        assert reference(name, number) == found
        assert reference(str(found)) == found

    @pytest.mark.parametrize("number", [True, 1.0, "x", "", "1.5", [], {}])
    def test_what_is_no_number(self, number: Any):
        assert reference("p", 1).version == 1  # what is equal to 1 is not taken for it afterwards
        with pytest.raises(InvalidParameterError):
            reference("p", number)

    @pytest.mark.parametrize(
        "name", ["", "a/b", "a@b", "models:/p/1", "prompts:/p", "prompts:/p/x", "prompts://p/1", None, 5, ["p"], {}]
    )
    def test_what_names_nothing(self, name: Any):
        with pytest.raises(InvalidParameterError):
            reference(name)

    def test_a_relative_place_depends_on_the_directory(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
        first = place("sqlite:///a.db")
        monkeypatch.chdir(tmp_path.parent)
        assert place("sqlite:///a.db") != first
        assert place("http://a:1") == place("http://a:1") != place("http://b:1")


class TestLifetimes:
    def test_an_alias_for_a_minute_a_version_without_end(self, cache: PromptCache, clock: Clock):
        put(cache, ALIAS, version())
        put(cache, ONE, version())
        clock.now += 59.9
        assert cache.get(PLACE, ALIAS) == version()
        clock.now += 0.1
        assert cache.get(PLACE, ALIAS) is None
        clock.now += 1e9
        assert cache.get(PLACE, ONE) == version()

    def test_the_settings(self, cache: PromptCache, clock: Clock, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("MLFLOW_ALIAS_PROMPT_CACHE_TTL_SECONDS", "5")
        monkeypatch.setenv("MLFLOW_VERSION_PROMPT_CACHE_TTL_SECONDS", "7")
        put(cache, ALIAS, version())
        put(cache, ONE, version())
        clock.now += 5
        assert (cache.get(PLACE, ALIAS), cache.get(PLACE, ONE)) == (None, version())
        clock.now += 2
        assert cache.get(PLACE, ONE) is None
        monkeypatch.setenv("OTFLOW_VERSION_PROMPT_CACHE_TTL_SECONDS", "0")
        put(cache, Reference("p", 2, None), version(2))
        assert cache.get(PLACE, Reference("p", 2, None)) is None

    @pytest.mark.parametrize("text", ["-1", "nan", "x"])
    def test_settings_that_are_none(self, cache: PromptCache, monkeypatch: pytest.MonkeyPatch, text: str):
        monkeypatch.setenv("OTFLOW_ALIAS_PROMPT_CACHE_TTL_SECONDS", text)
        with pytest.raises(InvalidParameterError, match="OTFLOW_ALIAS_PROMPT_CACHE_TTL_SECONDS"):
            put(cache, ALIAS, version())

    def test_a_time_to_live_of_its_own(self, cache: PromptCache, clock: Clock):
        put(cache, ALIAS, version(), ttl_s=300)
        clock.now += 100
        assert cache.get(PLACE, ALIAS, 200) == version()
        assert cache.get(PLACE, ALIAS, 100) is None
        assert cache.get(PLACE, ALIAS) is None  # older than the setting allows
        put(cache, ALIAS, version(), ttl_s=2)
        clock.now += 3
        assert cache.get(PLACE, ALIAS) is None  # who asked for it said how long it holds

    def test_nobody_is_told_something_older_than_who_asked_the_registry(self, cache: PromptCache):
        put(cache, ALIAS, version(2), ttl_s=0)
        assert cache.get(PLACE, ALIAS) is None  # who wants nothing remembered leaves nothing behind
        put(cache, ALIAS, version(1))
        assert cache.get(PLACE, ALIAS, 0) is None
        put(cache, ALIAS, version(2), ttl_s=0)
        assert cache.get(PLACE, ALIAS) == version(2)


class TestBounds:
    def test_those_used_last_are_kept(self, cache: PromptCache, clock: Clock, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("OTFLOW_PROMPT_CACHE_MAX_SIZE", "3")
        wanted = [Reference("p", number, None) for number in range(1, 5)]
        for one in wanted[:3]:
            clock.now += 1
            put(cache, one, version(one.version or 0))
        clock.now += 1
        assert cache.get(PLACE, wanted[0]) is not None
        clock.now += 1
        put(cache, wanted[3], version(4))
        assert [cache.get(PLACE, one) is not None for one in wanted] == [True, False, True, True]

    def test_none_at_all(self, cache: PromptCache, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("OTFLOW_PROMPT_CACHE_MAX_SIZE", "0")
        put(cache, ONE, version())
        assert cache.get(PLACE, ONE) is None

    def test_stores_are_kept_apart(self, cache: PromptCache):
        put(cache, ONE, version())
        assert cache.get("http://elsewhere", ONE) is None


class TestSharing:
    def test_a_caller_cannot_change_what_others_get(self, cache: PromptCache):
        config, schema = {"stop_sequences": ["x"], "more": {"a": [1]}}, {"properties": {"a": {"type": "string"}}}
        messages = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
        made = PromptVersion(
            "p", 1, messages, tags={"a": "b"}, aliases=["x"], response_format=schema, model_config=config
        )
        put(cache, ONE, made)
        expected = dict(made.copied())
        for mutated in (made, cache.get(PLACE, ONE)):
            assert mutated is not None
            mutated.tags["a"] = "poison"
            mutated.aliases.append("poison")
            mutated.template[0]["content"][0]["text"] = "poison"  # type: ignore[index]
            mutated.template.append({"role": "system", "content": "poison"})  # type: ignore[union-attr]
            assert mutated.model_config is not None
            mutated.model_config["more"]["a"].append(2)
            assert mutated.response_format is not None
            mutated.response_format["properties"]["a"]["type"] = "poison"
            mutated.name = "poison"
        assert dict(cache.get(PLACE, ONE) or ()) == expected

    def test_what_was_asked_before_a_change_is_not_kept_after_it(self, cache: PromptCache):
        epoch = cache.epoch
        cache.forget(PLACE, "p", lambda _asked, _prompt: False)
        cache.put(PLACE, ALIAS, version(), epoch)
        assert cache.get(PLACE, ALIAS) is None

    def test_exactly_what_a_change_concerns_is_forgotten(self, cache: PromptCache):
        wanted = [ALIAS, LATEST, ONE, Reference("q", 1, None)]
        for one in wanted:
            put(cache, one, version(1, one.name))
        cache.forget(PLACE, "p", lambda asked, _prompt: asked.alias == "production")
        cache.forget("http://elsewhere", "p", lambda _asked, _prompt: True)
        assert [cache.get(PLACE, one) is not None for one in wanted] == [False, True, True, True]
        cache.clear()
        assert cache.get(PLACE, LATEST) is None

    def test_many_threads(self, cache: PromptCache, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("OTFLOW_PROMPT_CACHE_MAX_SIZE", "8")
        problems: list[BaseException] = []

        def work(seed: int) -> None:
            try:
                for step in range(400):
                    wanted = Reference("p", (step * 7 + seed) % 20 + 1, None)
                    found = cache.get(PLACE, wanted)
                    assert found is None or found.version == wanted.version
                    put(cache, wanted, version(wanted.version or 0))
                    if step % 20 == seed:
                        cache.forget(PLACE, "p", lambda _asked, prompt: prompt.version % 2 == 0)
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert len(cache._entries) <= 8 + len(threads)  # each thread may be about to make room


def test_what_is_done_is_done_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MOST_DONE", 4)
    assert [done_before("a", 1), done_before("a", 1), done_before("a", 2)] == [False, True, False]
    undone("a", 1)
    assert done_before("a", 1) is False
    for number in range(10):
        done_before("b", number)
    assert len(module._done) <= 4
