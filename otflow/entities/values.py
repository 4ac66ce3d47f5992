"""Python values ↔ JSON texts and OpenTelemetry attributes: what a span's inputs, outputs and attributes become.

Whatever a traced program passes around can end up here. So nothing that writes raises because of a value, consumes an
iterator, or calls code of the user other than `__str__`, `__repr__`, `model_dump` and the reading of dataclass fields;
and no optional package is imported here: an object of numpy or pydantic can only exist where they are imported already.

`dump` is the hot path of tracing. It tries the C encoder of the standard library first; only a value that this refuses
(a cycle, too deep, a key that is not a string, …) is walked in Python and made encodable.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from json import encoder as json_encoder
from typing import Any, Final, TypeAlias, cast

from otflow.entities.attachment import Attachment, sniffed_type

__all__ = [
    "AttributeValue",
    "attribute_json",
    "clean_text",
    "decode_attribute",
    "dump",
    "encode_attribute",
    "expand",
    "key_text",
    "load",
]

AttributeValue: TypeAlias = (
    bool | int | float | str | tuple[bool, ...] | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
)
"""What an OpenTelemetry attribute holds natively, as otflow writes it."""

MAX_DEPTH: Final = 100
"""Where the walk in Python stops going down; the C encoder goes as deep as the interpreter lets it."""

MAX_EXPANDED: Final = 100_000
"""How many objects the C encoder may expand before the walk, which knows repetitions, takes over."""

MAX_REPEATED: Final = 100_000
"""How many elements of containers it has met before the walk writes out again: a graph of n nodes can have n! paths."""

MAX_ARRAY: Final = 1_000
"""Elements of the biggest numpy array written as a list; numpy itself abbreviates the text of a bigger one."""

MAX_BYTES: Final = 1_000
"""Bytes of a bytes-like value that are written."""

CIRCULAR: Final = "<circular reference>"
REPEATED: Final = "<repeated reference>"
TOO_DEEP: Final = "<nested too deep>"

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_stdlib: Any = json_encoder
_encode_str: Final[Callable[[str], str]] = _stdlib.encode_basestring
_make_c_encoder: Final[Any] = getattr(_stdlib, "c_make_encoder", None)  # absent on PyPy
_scan: Final[Callable[[str, int], tuple[Any, int]]] = cast("Any", json.JSONDecoder()).scan_once

# Of the classes themselves: an object, or its metaclass, may answer anything.
_class_name: Final[Callable[[type], str]] = type.__dict__["__name__"].__get__


# --- values → JSON text ------------------------------------------------------------------------------------------


class _TooManyObjects(Exception):
    """The value expands into so many objects that it must be a graph."""


class _Encoder:
    """A C encoder and its marks of the containers it is inside of: for one call at a time."""

    __slots__ = ("encode", "expanded")

    def __init__(self) -> None:
        self.expanded = 0
        self.encode: Callable[..., Any]
        if _make_c_encoder is None:
            self.encode = json.JSONEncoder(ensure_ascii=False, default=self.default).iterencode
        else:
            self.encode = _make_c_encoder({}, self.default, _encode_str, None, ": ", ", ", False, False, True)

    def default(self, value: object) -> object:
        result = expand(value)
        if type(result) is not str:
            self.expanded += 1
            if self.expanded > MAX_EXPANDED:
                raise _TooManyObjects
        return result


# Making an encoder costs as much as a small dump, so they wait here between calls. A call that finds none (in another
# thread, or from within a `__str__`) makes one. One that failed is dropped, since its marks remain.
_idle: Final[list[_Encoder]] = []


def dump(value: object) -> str:
    """The JSON text of any Python value, in the style of `json.dumps(value, ensure_ascii=False)`.

    The text can be read by `load` (it may hold the literals NaN, Infinity and -Infinity) and encoded as UTF-8.
    What JSON has no form for is written as its `str()`, as MLflow does, except that dataclasses and pydantic models
    become dicts, sets and small numpy arrays become lists, and numpy scalars become numbers. A cycle, nesting deeper
    than the interpreter encodes and an object that cannot be printed leave a note in angle brackets; a lone surrogate
    is written as the text of its escape, and of long bytes only the beginning.
    """
    if type(value) is str:
        text = _encode_str(value)
    else:
        try:
            encoder = _idle.pop()
        except IndexError:
            encoder = _Encoder()
        try:
            text = "".join(encoder.encode(value, 0))
        except Exception:  # whatever was wrong, the walk copes with it
            text = _dump_walking(value)
        else:
            encoder.expanded = 0
            _idle.append(encoder)
    # In JSON text a surrogate can only be within a string, where its escape is an escaped backslash and the rest.
    return text if text.isascii() else clean_text(text, "\\\\")


def clean_text(text: str, backslash: str = "\\") -> str:
    """The text with an escape in place of each lone surrogate, which no UTF-8 can hold."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda match: f"{backslash}u{ord(match[0]):04x}", text)
    return text


def _dump_walking(value: object) -> str:
    try:
        return json.JSONEncoder(ensure_ascii=False, check_circular=False).encode(_Walk().plain(value, 0))
    except Exception as error:  # the stack or the memory is all but full
        return _encode_str(_note(value, type(error)))


def _note(value: object, error: type[Exception] | None = None) -> str:
    """What is written in place of a value."""
    return f"<{_class_name(type(value))}: {'unprintable' if error is None else _class_name(error)}>"


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # code of the user
        return _note(value)


def expand(value: object) -> object:
    """A value that JSON has no form for, brought one step nearer to one that it has."""
    cls = type(value)
    try:
        if issubclass(cls, (set, frozenset)):
            return _set_items(cast("set[object]", value))
        if issubclass(cls, (bytes, bytearray)):
            return _bytes_text(cast("bytes", value))
        if cls is Attachment:
            return cast("Attachment", value).data_url()
        if type(getattr(cls, "__dataclass_fields__", None)) is dict and not issubclass(cls, Enum):
            return _dataclass_items(value)
        if issubclass(cls, getattr(sys.modules.get("pydantic.main"), "BaseModel", ())):
            return _model_items(value)
        if issubclass(cls, getattr(sys.modules.get("PIL.Image"), "Image", ())):
            return _image_url(value)
        numpy = sys.modules.get("numpy")
        if issubclass(cls, getattr(numpy, "generic", ())) or issubclass(cls, getattr(numpy, "ndarray", ())):
            return _numpy_items(value)
    except Exception:  # code of the user, in a metaclass or in an override
        return _text(value)
    return _text(value)


def _set_items(value: set[object]) -> list[object]:
    items = list(value)
    if all(type(item) is str for item in items):
        cast("list[str]", items).sort()  # the order of strings in a set differs from process to process
    return items


def _bytes_text(value: bytes | bytearray) -> str:
    if len(value) > MAX_BYTES and (kind := sniffed_type(value)) is not None:
        return Attachment(value, kind).data_url()
    # By the base class: numpy's bytes print otherwise.
    show: Any = bytes.__repr__ if isinstance(value, bytes) else bytearray.__repr__
    return show(value) if len(value) <= MAX_BYTES else f"{show(value[:MAX_BYTES])}... ({len(value)} bytes)"


def _image_url(value: Any) -> str:
    """An image of Pillow as the data URL of a PNG file: without loss, whatever its mode."""
    file = io.BytesIO()
    try:
        value.save(file, "PNG")
    except (OSError, ValueError):  # a mode that PNG has not
        file = io.BytesIO()
        value.convert("RGBA").save(file, "PNG")
    return Attachment(file.getvalue(), "image/png").data_url()


def _dataclass_items(value: Any) -> dict[str, object]:
    items: dict[str, object] = {}
    for field in fields(cast("Any", type(value))):
        try:
            items[field.name] = getattr(value, field.name)
        except Exception as error:  # not set, or a descriptor that fails
            items[field.name] = f"<unreadable: {_class_name(type(error))}>"
    return items


def _model_items(value: Any) -> object:
    try:
        return value.model_dump(warnings=False)
    except Exception:  # a cycle, a serializer that fails, an override with other parameters
        return dict(value.__dict__)


def _numpy_items(value: Any) -> object:
    """A number, or nested lists, of a numpy scalar or array; their text where plain Python has no match for them."""
    # A time of nanoseconds would become a bare number, and an extended float stays what it is.
    if value.dtype.kind in "mM" or value.dtype.char in "gG":
        return value.astype(str).tolist() if value.ndim and value.size <= MAX_ARRAY else _text(value)
    return value.tolist() if value.size <= MAX_ARRAY else _text(value)


class _Walk:
    """Makes a value encodable, whatever it is: one walk through it and all that it holds."""

    def __init__(self) -> None:
        self.path: set[int] = set()
        self.met: dict[int, object] = {}  # holds what was met, so that no id is given away again
        self.repeated = 0

    def plain(self, value: object, depth: int) -> object:
        """The value in terms of None, bool, int, float, str, list and dict with keys that are strings."""
        cls = type(value)
        if value is None or cls is bool:
            return value
        if issubclass(cls, str):
            return str.__str__(cast("str", value))
        if issubclass(cls, int):
            return _plain_int(cast("int", value))
        if issubclass(cls, float):
            return float.__float__(cast("float", value))
        if id(value) in self.path:
            return CIRCULAR
        if depth >= MAX_DEPTH:
            return TOO_DEEP
        self.path.add(id(value))
        try:
            return self._plain_container(value, depth)
        except Exception as error:  # changed by another thread, or the stack is all but full
            return _note(value, type(error))
        finally:
            self.path.discard(id(value))

    def _plain_container(self, value: object, depth: int) -> object:
        cls = type(value)
        # The methods of the built-in types, since a subclass may have put anything in their place.
        if issubclass(cls, dict):
            items: list[tuple[object, object]] = list(cast("Any", dict).items(value))
            if self._too_often(value, len(items)):
                return REPEATED
            return {key_text(key): self.plain(item, depth + 1) for key, item in items}
        if issubclass(cls, (list, tuple)):
            base: Any = list if issubclass(cls, list) else tuple
            members: list[object] = list(base.__iter__(value))
            if self._too_often(value, len(members)):
                return REPEATED
            return [self.plain(item, depth + 1) for item in members]
        if self._too_often(value, 1):
            return REPEATED
        expanded = expand(value)
        return self.plain(expanded, depth if type(expanded) in (dict, list, str) else depth + 1)

    def _too_often(self, value: object, size: int) -> bool:
        if id(value) not in self.met:
            self.met[id(value)] = value
            return False
        self.repeated += size + 1
        return self.repeated > MAX_REPEATED


def _plain_int(value: int) -> int | str:
    value = int.__int__(value)
    try:
        int.__repr__(value)
    except ValueError:
        return hex(value)  # more decimal digits than the interpreter converts, in either direction
    return value


def key_text(key: object) -> str:
    """The key of a dictionary as JSON has it."""
    cls = type(key)
    if issubclass(cls, str):
        return str.__str__(cast("str", key))
    if key is None or issubclass(cls, (int, float)):
        return dump(key).strip('"')  # true, null, 1.5: as the C encoder has it
    return _text(key)


# --- JSON text → values ------------------------------------------------------------------------------------------

_BLANK: Final = " \t\n\r"


def load(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: The text is not JSON, or is nested deeper than the interpreter reads.
    """
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return json.loads(text)  # begins with a blank, or raises
    except RecursionError:
        raise ValueError(f"The JSON text is nested too deep to be read: {text[:40]}...") from None
    return value if end == len(text) else json.loads(text)


# --- attributes of spans -----------------------------------------------------------------------------------------

_JSON_FIRST: Final = frozenset(_BLANK + '{["-0123456789tfnNI')
_JSON_WORDS: Final = frozenset({"true", "false", "null", "NaN", "Infinity", "-Infinity"})
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_JSON_CLOSERS: Final = {"{": "}", "[": "]", '"': '"'}

_PARSED_LENGTH: Final = 10_000
"""Up to here a string is parsed to know whether it is JSON; a longer one that looks like it is taken for it."""


def encode_attribute(key: str, value: object) -> AttributeValue:
    """A value as the OpenTelemetry attribute that holds it, from which `decode_attribute` gives it back.

    The keys of MLflow (`mlflow.…`) hold JSON text. Others hold scalars and lists of scalars of one type as they are, so
    that any OpenTelemetry backend can compare them; the rest, and a string that would read as JSON, as JSON text.
    """
    if key[:7] == "mlflow.":
        return dump(value)
    cls = type(value)
    if cls is str:
        text = cast("str", value)
        if text[:1] in _JSON_FIRST and _reads_as_json(text):
            return dump(text)
        return text if text.isascii() else clean_text(text)
    if cls is bool or cls is float:
        return cast("float", value)
    if cls is int:
        return cast("int", value) if _INT64_MIN <= cast("int", value) <= _INT64_MAX else dump(value)
    if cls is list or cls is tuple:
        native = _native_tuple(tuple(cast("list[object]", value)))
        return dump(value) if native is None else native
    return _encode_rare(key, value)


def _native_tuple(items: tuple[Any, ...]) -> AttributeValue | None:
    types = set(map(type, items))
    if len(types) > 1:
        return None
    only = types.pop() if types else bool
    if only is str:
        return tuple(map(clean_text, items))
    if only is int:
        return items if min(items) >= _INT64_MIN and max(items) <= _INT64_MAX else None
    return items if only is bool or only is float else None


def _encode_rare(key: str, value: object) -> AttributeValue:
    cls = type(value)
    if issubclass(cls, str):
        return encode_attribute(key, str.__str__(cast("str", value)))
    if issubclass(cls, int):
        return encode_attribute(key, int.__int__(cast("int", value)))
    if issubclass(cls, float):
        return float.__float__(cast("float", value))
    if issubclass(cls, getattr(sys.modules.get("numpy"), "generic", ())):
        return encode_attribute(key, expand(value))
    return dump(value)


def _reads_as_json(text: str) -> bool:
    """Whether the text might be read as JSON: true for every text that is, and for few that are not."""
    text = text.strip(_BLANK)
    closer = _JSON_CLOSERS.get(text[:1])
    if closer is None:
        return text in _JSON_WORDS or _JSON_NUMBER.fullmatch(text) is not None
    if text[-1] != closer:
        return False
    if len(text) > _PARSED_LENGTH:
        return True
    try:
        return _scan(text, 0)[1] == len(text)
    except RecursionError:
        return True  # it depends on how full the stack is
    except (StopIteration, ValueError):
        return False


def decode_attribute(value: object) -> Any:
    """The value that an attribute holds: that of the JSON text if it is one, else the attribute itself."""
    if isinstance(value, str):
        return _parsed(value, value)
    if isinstance(value, tuple):
        return list(cast("tuple[object, ...]", value))
    return value


def attribute_json(value: object) -> str:
    """The JSON text of an attribute: the attribute itself if it is JSON text already."""
    if isinstance(value, str) and _parsed(value, _parsed) is not _parsed:
        return value
    return dump(value)


def _parsed(text: str, otherwise: Any) -> Any:
    """The value of the text if it is JSON; quick to see where it is not."""
    if text[:1] not in _JSON_FIRST:
        return otherwise
    text = text.strip(_BLANK)
    try:
        value, end = _scan(text, 0)
    except (StopIteration, ValueError, RecursionError):
        return otherwise
    return value if end == len(text) else otherwise
