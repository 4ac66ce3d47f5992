"""Applying privacy rules to values, texts and spans.

**Fail-closed.** What a rule raises on is not kept: in its place stands `FAILED`. The error is counted and logged by its
type alone, since its message may hold the very thing.
**More than once.** A value may pass here when it is set, and again on its way out. What rules left is not looked into.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from otflow.entities.values import dump, encode_attribute, expand, key_text, load
from otflow.errors import InvalidStateError
from otflow.semconv import OTel, SpanKey
from otflow.tracing import guard
from otflow.tracing.embedded import cleaned_member, cleaned_urls
from otflow.tracing.rules import DROPPED, MARKER, REDACTED, Rule

__all__ = ["FAILED", "Redactor"]

_T = TypeVar("_T")

FAILED: Final = "[redaction failed]"
"""What stands where a rule raised."""

_MAX_DEPTH: Final = 100
_MOST_REMEMBERED: Final = 256
_SHORTEST_REMEMBERED: Final = 6
_SMALLEST_NUMBER: Final = 1_000_000
"""Numbers of fewer digits are no card or phone number."""

_FIGURES: Final = frozenset({SpanKey.TRACE_ID, SpanKey.EXPERIMENT_ID, SpanKey.CHAT_USAGE, SpanKey.LLM_COST})
"""Attributes in which nobody puts content, and which must stay what they are."""

_JSON_FIRST: Final = frozenset('{["')
_EXCEPTION_KEYS: Final = frozenset({OTel.EXCEPTION_MESSAGE, OTel.EXCEPTION_STACKTRACE})
_IN_TEXT: Final = (
    r"""(?:(?<![\w\-])|(?<=\\[nrt]))(\\{0,32}["']?(?:{keys})(?:\\{0,32}["'])?\s?[:=]\s{0,64})"""
    r"""(\\{1,32}["'][^"'\\]*(?:\\{1,32}["'])?|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,;&)}\]"'<>\\]+)"""
)
"""`key=value`, `key: value`, `"key": value`, escaped quotes too: how a key stands in a text that is no JSON.

What may repeat is bounded where a match may begin at each repetition: else 20,000 backslashes would take minutes."""

# A path on its way: the rule, and how many of its steps are done.
_Track = tuple[Rule, int]


class Redactor:
    """Applies a set of rules.

    Args:
        rules: The rules, in the order in which they apply.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._places: dict[str, _Place] = {}
        self._rules = tuple(rules)
        self._remembered: dict[str, None] = {}

    # -- for spans being made (ContentPolicy) ------------------------------------------------------

    def attribute(self, key: str, value: Any) -> Any:
        """A live value as the OpenTelemetry attribute that may be kept; None where it is dropped."""
        return self._safely(lambda: self._attribute(key, value), dump(FAILED))

    def event(self, name: str, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name and the attributes of an event that may be kept."""
        return self._safely(lambda: self._event(name, attributes), (FAILED, {}))

    def message(self, text: str) -> str:
        """The message of an error that may be kept."""
        return self.text(text, "exceptions")

    def name(self, name: str) -> str:
        """The name of a span or a trace that may be kept."""
        return self.text(name, "names")

    # -- the parts of a span -------------------------------------------------------------------------

    def _attribute(self, key: str, value: Any) -> Any:
        place = self._place(_place_of(key))
        if not place.rules or key in _FIGURES:
            return encode_attribute(key, value)
        if place.name == "attributes":
            cleaned = _Walk(self, place).member(key, place.typed(value), place.tracks, 0)
            if cleaned is DROPPED:
                return None
            return encode_attribute(key, cleaned)
        cleaned = _Walk(self, place).value(place.plain(value), place.tracks, 0)
        return None if cleaned is DROPPED else encode_attribute(key, cleaned)

    def encoded(self, key: str, value: Any) -> Any:
        """An attribute, as OpenTelemetry holds it, in the form that may be kept; None where it is dropped."""
        return self._safely(lambda: self._encoded(key, value), dump(FAILED))

    def _encoded(self, key: str, value: Any) -> Any:
        place = self._place(_place_of(key))
        result: Any = value
        if not place.rules or key in _FIGURES:
            return value
        walk = _Walk(self, place)
        parsed = _parsed(value) if isinstance(value, str) else None
        plain: Any = list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
        faithful = True
        if key.startswith("mlflow.") and parsed is not None:
            plain, faithful = parsed
        if place.name == "attributes":
            cleaned = walk.member(key, plain, place.tracks, 0)
        else:
            cleaned = walk.value(plain, place.tracks, 0)
        if cleaned is DROPPED:
            return None
        if faithful and cleaned == plain and type(cleaned) is type(plain):
            return result
        return encode_attribute(key, cleaned)

    def _event(self, name: str, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        found: dict[str, Any] = {}
        for key, value in attributes.items():
            place = self._place("exceptions" if key in _EXCEPTION_KEYS else "events")
            if not place.rules:
                found[key] = value
                continue
            cleaned = _Walk(self, place).member(key, place.typed(value), place.tracks, 0)
            if cleaned is not DROPPED:
                new = place.clean_text(key, self)
                # As it was where nothing was found: a tuple stays one.
                found[new] = value if cleaned == value else cleaned if _is_native(cleaned) else dump(cleaned)
        return self._text(name, "events"), found

    def mapping(self, values: Mapping[str, str], where: str) -> dict[str, str]:
        """Tags or metadata that may be kept."""
        return self._safely(lambda: self._mapping(values, where), {})

    def _mapping(self, values: Mapping[str, Any], where: str) -> dict[str, str]:
        place = self._place(where)
        if not place.rules:
            return dict(values)
        cleaned: Any = _Walk(self, place).value(dict(values), place.tracks, 0)
        if not isinstance(cleaned, dict):
            return {}
        texts = cast("dict[str, Any]", cleaned)
        return {key: value if isinstance(value, str) else dump(value) for key, value in texts.items()}

    def plain(self, value: Any, where: str) -> Any:
        """A value that may be kept, in terms of what JSON knows; None where it is dropped."""

        def cleaned() -> Any:
            place = self._place(where)
            if not place.rules:
                return value
            found = _Walk(self, place).value(place.plain(value), place.tracks, 0)
            return None if found is DROPPED else found

        return self._safely(cleaned, FAILED)

    def typed(self, value: Any, where: str) -> Any:
        """A live value, with what rules by type are about replaced."""
        return self._safely(lambda: self._place(where).typed(value), FAILED)

    def stream(self, items: list[Any]) -> list[Any]:
        """The items of a stream, without what stands in several texts that follow each other."""
        return self._safely(lambda: self._stream(items), [FAILED])

    def _stream(self, items: list[Any]) -> list[Any]:
        place = self._place("outputs")
        found: list[Any] = []
        for is_text, group in itertools.groupby(items, lambda item: type(item) is str):
            run = list(group)
            found += _spread(run, lambda text: place.clean_text(text, self)) if is_text and len(run) > 1 else run
        return found

    def text(self, text: str, where: str) -> str:
        """A text that may be kept."""
        return self._safely(lambda: self._text(text, where), FAILED)

    def _text(self, text: str, where: str) -> str:
        place = self._place(where)
        if not place.rules:
            return text
        if where in {"exceptions", "logs"}:
            text = self._forgotten(text)
        return place.clean_text(text, self)

    # -- the machinery -------------------------------------------------------------------------------

    def _place(self, name: str) -> _Place:
        found = self._places.get(name)
        if found is None:
            found = self._places[name] = _Place(name, [rule for rule in self._rules if name in rule.where])
        return found

    def _safely(self, work: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return work()
        except Exception as error:
            guard.swallow(
                "apply the privacy rules (the value is not kept)",
                InvalidStateError(f"{type(error).__name__} in {_blamed(error)}"),
            )
            return otherwise

    def hide(self, rule: Rule, value: Any) -> Any:
        """What becomes of a value that a rule by key, path or type is about."""
        if value is None or (type(value) is str and MARKER.fullmatch(value)):
            return value
        if type(value) is str and len(value) >= _SHORTEST_REMEMBERED and value not in self._remembered:
            self._remembered[value] = None
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.pop(next(iter(self._remembered)), None)
        return _acted(rule, value)

    def _forgotten(self, text: str) -> str:
        """An error's text without the values that rules by key, path and type took out elsewhere."""
        for value in list(self._remembered):
            for form in {value, repr(value)[1:-1], dump(value)[1:-1]}:
                if form in text:
                    text = text.replace(form, REDACTED)
        return text


class RuleFailure(Exception):
    """A rule's action or check raised; names the rule, and nothing of the value."""


def _acted(rule: Rule, value: Any) -> Any:
    try:
        return rule.action(value)
    except Exception as error:
        raise RuleFailure(f"the action of a {rule!r}: {type(error).__name__}") from None


def _blamed(error: Exception) -> str:
    return str(error) if isinstance(error, RuleFailure) else "a privacy rule"


class _Place:
    """The rules of one place, sorted by kind."""

    def __init__(self, name: str, rules: list[Rule]) -> None:
        self.name = name
        self.rules = rules
        self.keys = [rule for rule in rules if rule.kind == "key"]
        self.patterns = [rule for rule in rules if rule.kind == "pattern"]
        self.types = [rule for rule in rules if rule.kind == "type"]
        self.tracks: tuple[_Track, ...] = tuple((rule, 0) for rule in rules if rule.kind == "path")
        self._by_key: dict[str, Rule | None] = {}
        self._by_class: dict[type, Rule | None] = {}
        self._in_text = [(rule, _in_text(rule)) for rule in self.keys]

    def by_key(self, key: str) -> Rule | None:
        """The first rule about a key."""
        try:
            return self._by_key[key]
        except KeyError:
            short = key.rpartition(".")[2]
            found = next((rule for rule in self.keys if rule.fits(key) or rule.fits(short)), None)
            if len(self._by_key) < 10_000:
                self._by_key[key] = found
            return found

    def clean_text(self, text: str, redactor: Redactor) -> str:
        """A text that is no JSON, without what patterns match and what follows a key."""
        text = cleaned_urls(text, lambda inner: self._clean(inner, redactor))
        return self._clean(text, redactor)

    def _clean(self, text: str, redactor: Redactor) -> str:
        for rule, regex in self._in_text:
            if regex is not None:
                text = _between_markers(lambda part, rule=rule, regex=regex: _keyed(regex, rule, part, redactor), text)
        for rule in self.patterns:
            pattern = rule.pattern
            if pattern is not None:
                text = _between_markers(lambda part, rule=rule, pattern=pattern: _matched(pattern, rule, part), text)
        return text

    # -- by type ---------------------------------------------------------------------------------------

    def by_class(self, cls: type) -> Rule | None:
        """The first rule about a class."""
        try:
            return self._by_class[cls]
        except KeyError:
            found = next((rule for rule in self.types if _is_about(rule, cls)), None)
            if len(self._by_class) < 10_000:
                self._by_class[cls] = found
            return found

    def plain(self, value: Any) -> Any:
        """A live value in terms of what JSON knows, with what rules by type are about replaced."""
        return load(dump(self.typed(value)))

    def typed(self, value: Any) -> Any:
        """A live value with what rules by type are about replaced; the same where there are no such rules."""
        if not self.types:
            return value
        found = _Typed(self).value(value, 0)
        return None if found is DROPPED else found


def _is_about(rule: Rule, cls: type) -> bool:
    for wanted in rule.types:
        if isinstance(wanted, str):
            if any(wanted in (base.__name__, f"{base.__module__}.{base.__qualname__}") for base in cls.__mro__):
                return True
        elif issubclass(cls, wanted):
            return True
    return False


def _in_text(rule: Rule) -> re.Pattern[str] | None:
    keys = [re.escape(key).replace(r"\*", r"[\w.\-]{0,64}").replace(r"\?", r"\w") for key in rule.keys if key != "*"]
    return re.compile(_IN_TEXT.replace("{keys}", "|".join(keys)), re.IGNORECASE) if keys else None


def _between_markers(change: Callable[[str], str], text: str) -> str:
    if "[redact" not in text:
        return change(text)
    found: list[str] = []
    end = 0
    for marker in MARKER.finditer(text):
        found += change(text[end : marker.start()]) if marker.start() > end else "", marker[0]
        end = marker.end()
    found.append(change(text[end:]) if end < len(text) else "")
    return "".join(found)


def _spread(texts: list[str], clean: Callable[[str], str]) -> list[str]:
    """Texts that are parts of one, as they are where no rule is about more than one of them.

    Else that part of the whole in which something was replaced stands in the first text that it begins in.
    """
    whole = "".join(texts)
    cleaned = clean(whole)
    if cleaned == "".join(clean(text) for text in texts):
        return texts
    begin = _common(whole, cleaned)
    same = _common(whole[begin:][::-1], cleaned[begin:][::-1])
    end = len(whole) - same
    found: list[str] = []
    at = 0
    for text in texts:
        first, at = at, at + len(text)
        left = text[: max(0, begin - first)] + text[max(0, end - first) :] if first < end and at > begin else text
        if first <= begin < at:
            left = text[: begin - first] + cleaned[begin : len(cleaned) - same] + text[max(0, end - first) :]
        found.append(left)
    if begin == len(whole):
        found[-1] += cleaned[begin:]
    return found


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with together."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _matched(pattern: Any, rule: Rule, text: str) -> str:
    try:
        return pattern.sub(rule.action, text)
    except Exception as error:
        raise RuleFailure(f"a {rule!r}: {type(error).__name__}") from None


def _keyed(regex: re.Pattern[str], rule: Rule, text: str, redactor: Redactor) -> str:
    def replaced(match: re.Match[str]) -> str:
        value = match[2]
        bare = value.strip("\\\"'")
        if not bare or bare.lower() in {"none", "null"}:
            return match[0]
        result = redactor.hide(rule, bare)
        text = "" if result is DROPPED else result if isinstance(result, str) else dump(result)
        opening = value[: len(value) - len(value.lstrip("\\\"'"))]
        closing = value[len(value.rstrip("\\\"'")) :]
        return f"{match[1]}{opening}{text}{closing}"

    return regex.sub(replaced, text)


class _Typed:
    """One walk through a live value for rules by type."""

    def __init__(self, place: _Place) -> None:
        self.place = place
        self.done: dict[int, tuple[object, object]] = {}  # holds the value, so that no id is given away again

    def value(self, value: Any, depth: int) -> Any:
        cls = cast("type[Any]", type(value))
        rule = self.place.by_class(cls)
        if rule is not None:
            return _acted(rule, value)
        if value is None or issubclass(cls, (str, int, float)):
            return value
        known = self.done.get(id(value))
        if known is not None:
            return known[1]
        if depth >= _MAX_DEPTH:
            return "<nested too deep>"
        self.done[id(value)] = (value, "<circular reference>")
        found = self._inside(value, cls, depth + 1)
        self.done[id(value)] = (value, found)
        return found

    def _inside(self, value: Any, cls: type[Any], depth: int) -> Any:
        if issubclass(cls, dict):
            items: dict[Any, Any] = {}
            for key, item in list(cast("Any", dict).items(value)):
                found = self.value(item, depth)
                if found is not DROPPED:
                    new = self.value(key, depth) if self.place.by_class(cast("type[Any]", type(key))) else key
                    items[key_text(key) if new is key else key_text(new)] = found
            return items
        if issubclass(cls, (list, tuple, set, frozenset)):
            items_of: Any = list(value) if issubclass(cls, (list, tuple)) else expand(value)
            members = [self.value(item, depth) for item in items_of]
            return [member for member in members if member is not DROPPED]
        expanded = expand(value)
        if type(expanded) is not dict:
            return expanded
        # Of pydantic models `expand` gives what they dump, in which the classes are lost: the fields tell.
        fields: dict[Any, Any] = {}
        for key, item in cast("dict[Any, Any]", expanded).items():
            own = getattr(value, key, item) if isinstance(key, str) else item
            plain = own is None or type(own) in (str, int, float, bool) or type(item) in (str, int, float, bool)
            found = self.value(own, depth) if not plain or self.place.by_class(cast("type[Any]", type(own))) else item
            if found is not DROPPED:
                fields[key] = found
        return fields


class _Walk:
    """One walk through a plain value, for rules by key, path and pattern."""

    __slots__ = ("place", "redactor")

    def __init__(self, redactor: Redactor, place: _Place) -> None:
        self.redactor = redactor
        self.place = place

    def member(self, key: str, value: Any, tracks: tuple[_Track, ...], depth: int) -> Any:
        """What may be kept of a value under a key."""
        rule = self.place.by_key(key) if self.place.keys else None
        if tracks:
            further, reached = _advance(tracks, key)
            if depth == 0 and "." in key:
                for step in key.split("."):  # an attribute's name, as a path of its own
                    tracks, end = _advance(tracks, step)
                    reached = reached or end
                further += tracks
            rule = rule or reached
            tracks = further
        if rule is not None:
            return self.redactor.hide(rule, value)
        return self.value(value, tracks, depth)

    def value(self, value: Any, tracks: tuple[_Track, ...], depth: int) -> Any:
        """What may be kept of a value; `DROPPED` where nothing may."""
        cls = cast("type[Any]", type(value))
        if cls is str:
            return self._text(value, tracks, depth)
        if value is None or cls is bool:
            return value
        if cls is int or cls is float:
            return self._number(value)
        if depth >= _MAX_DEPTH:
            return FAILED
        if cls is dict:
            return self._members(value, tracks, depth + 1)
        if cls is list or cls is tuple:
            return self._elements(value, tracks, depth + 1)
        return self.value(load(dump(value)), tracks, depth + 1)

    def _clean(self, text: str) -> str:
        return self.place.clean_text(text, self.redactor)

    def _members(self, value: dict[Any, Any], tracks: tuple[_Track, ...], depth: int) -> dict[str, Any]:
        place, found = self.place, dict[str, Any]()
        for raw, item in value.items():
            key = raw if type(raw) is str else key_text(raw)
            told = cleaned_member(value, key, item, self._clean) if type(item) is str else item
            kept = self.member(key, told, tracks, depth)
            if kept is DROPPED:
                continue
            new = place.clean_text(key, self.redactor) if place.patterns else key
            number = 2
            while new in found:  # two keys that became the same
                new, number = f"{new} ({number})", number + 1
            found[new] = kept
        return found

    def _elements(self, value: Sequence[Any], tracks: tuple[_Track, ...], depth: int) -> list[Any]:
        found: list[Any] = []
        for index, item in enumerate(value):
            if tracks:
                further, rule = _advance(tracks, index)
                kept = self.value(item, further, depth) if rule is None else self.redactor.hide(rule, item)
            else:
                kept = self.value(item, tracks, depth)
            if kept is not DROPPED:
                found.append(kept)
        return found

    def _text(self, text: str, tracks: tuple[_Track, ...], depth: int) -> str:
        place = self.place
        if place.name == "exceptions":
            return self.redactor.text(text, "exceptions")
        parsed = _parsed(text) if depth < _MAX_DEPTH else None
        if parsed is not None:
            inner, faithful = parsed
            cleaned = self.value(inner, tracks, depth + 1)
            return text if faithful and cleaned == inner else dump(cleaned)
        return place.clean_text(text, self.redactor)

    def _number(self, value: float) -> Any:
        if not self.place.patterns or value < _SMALLEST_NUMBER or (type(value) is float and not value.is_integer()):
            return value
        text = str(value)
        cleaned = self.place.clean_text(text, self.redactor)
        return value if cleaned == text else cleaned


def _advance(tracks: tuple[_Track, ...], step: str | int) -> tuple[tuple[_Track, ...], Rule | None]:
    """Where the paths are after one more step, and the rule of one that has arrived."""
    found: list[_Track] = []
    reached: Rule | None = None
    for rule, done in tracks:
        steps = rule.steps
        at = done
        while at < len(steps):
            wanted = steps[at]
            if wanted == "**":
                found.append((rule, at))
                at += 1
                continue
            if wanted == step or wanted == "*" or (type(wanted) is str and str(step) == wanted):
                if at + 1 == len(steps):
                    reached = reached or rule
                else:
                    found.append((rule, at + 1))
            break
        else:
            reached = reached or rule  # the path ends in `**`
    return tuple(dict.fromkeys(found)), reached


def _parsed(text: str) -> tuple[Any, bool] | None:
    """The value of a text that is a JSON object, list or string, and whether it holds all of it; None of others."""
    if text[:1] not in _JSON_FIRST and text.lstrip()[:1] not in _JSON_FIRST:
        return None
    faithful = True

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal faithful
        found = dict(pairs)
        if len(found) != len(pairs):
            faithful = False  # a key stands twice, and only the last one was looked at
        return found

    try:
        return json.loads(text, object_pairs_hook=members), faithful
    except (ValueError, RecursionError):
        return None


def _place_of(key: str) -> str:
    if key == SpanKey.INPUTS:
        return "inputs"
    return "outputs" if key in {SpanKey.OUTPUTS, SpanKey.CHUNK_VALUE} else "attributes"


def _is_native(value: Any) -> bool:
    """Whether OpenTelemetry can hold it as the attribute of an event."""
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return all(type(item) is str for item in items)
    return isinstance(value, (str, bool, int, float))
