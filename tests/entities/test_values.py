"""What becomes of the values that a traced program passes around."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import decimal
import enum
import io
import json
import math
import pathlib
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, NamedTuple
from unittest.mock import MagicMock, Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, field_serializer

from otflow.entities import Attachment
from otflow.entities.values import attribute_json, clean_text, decode_attribute, dump, encode_attribute, load

INT64_MAX = 2**63 - 1

json_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
any_text = st.text(st.characters())  # with surrogates
json_like_text = st.text(alphabet=' \n{}[]",:truefalsnNIiy-+0123456789.E\\')
any_keys = any_text | st.integers() | st.floats() | st.none() | st.booleans() | st.tuples(st.integers()) | st.binary()
any_values = st.recursive(
    json_scalars
    | any_text
    | st.floats()
    | st.binary()
    | st.dates()
    | st.decimals()
    | st.frozensets(any_text | st.none()),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(any_keys, inner, max_size=4),
    max_leaves=12,
)


def nested(kind: str, depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


def checked_dump(value: object) -> Any:
    """What a reader finds in the dump of a value, which is always JSON and UTF-8."""
    text = dump(value)
    assert type(text) is str
    text.encode("utf-8")
    return json.loads(text)


class Color(enum.Enum):
    RED = "r"


class StrColor(str, enum.Enum):
    RED = "r"


class IntColor(enum.IntEnum):
    RED = 3


class Point(NamedTuple):
    x: int
    y: str


@dataclasses.dataclass
class Node:
    name: str
    children: list[Any] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Slotted:
    __slots__ = ("a", "b")
    a: int
    b: Any


class Model(BaseModel):
    a: int = 1
    when: datetime.datetime | None = None
    extra: Any = None


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class AnswersEverything:
    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def __repr__(self) -> str:
        return "anything"


class AnswersNothing:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        return "nothing"


class Impostor:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no class")


class TestDumpOfJson:
    def test_the_style_is_that_of_mlflow(self) -> None:
        value = {"q": "é", "n": [1, 2.5, True, None]}
        assert dump(value) == '{"q": "é", "n": [1, 2.5, true, null]}'

    @given(json_values)
    def test_load_gives_it_back(self, value: object) -> None:
        assert load(dump(value)) == value

    @given(json_values)
    def test_same_text_as_json_dumps(self, value: object) -> None:
        assert dump(value) == json.dumps(value, ensure_ascii=False)

    @given(any_values)
    def test_whatever_it_is_the_text_is_json_and_utf8(self, value: object) -> None:
        checked_dump(value)

    def test_floats_that_json_has_no_number_for(self) -> None:
        assert dump([math.nan, math.inf, -math.inf]) == "[NaN, Infinity, -Infinity]"

    def test_big_integers_in_full(self) -> None:
        assert dump(2**70) == "1180591620717411303424"

    def test_integers_of_more_digits_than_the_interpreter_converts(self) -> None:
        number = 10**5000
        assert checked_dump({"n": number, number: 1}) == {"n": hex(number), hex(number): 1}

    def test_ten_megabytes_are_quick(self) -> None:
        texts = ["x" * 10_000_000, "é" * 10_000_000, "x" * 10_000_000 + "\ud800"]
        started = time.perf_counter()
        for text in texts:
            dump({"text": text})
            dump(text)
        assert time.perf_counter() - started < 3

    @pytest.mark.parametrize("kind", ["list", "dict"])
    def test_too_deep(self, kind: str) -> None:
        text = dump([nested(kind, 100_000)])
        assert "<nested too deep>" in text
        assert len(text) < 2_000
        load(text)

    def test_deep_but_not_too_deep(self) -> None:
        value = nested("list", 300)
        assert load(dump(value)) == value

    def test_with_hardly_any_stack_left(self) -> None:
        texts: list[str] = []

        def descend(value: object) -> None:
            try:
                texts.append(dump(value))
                descend(value)
            except RecursionError:
                pass

        descend({(1, 2): {"a": [Node("n", [{1, 2}])]}})
        assert len(texts) > 50
        for text in texts:
            json.loads(text)
        assert checked_dump({(1, 2): 3}) == {"(1, 2)": 3}


class TestDumpOfText:
    def test_lone_surrogates_are_escaped(self) -> None:
        assert dump("a\ud800b") == '"a\\\\ud800b"'
        assert checked_dump({"k\udcff": ["\ud800", "\U0001f600"]}) == {"k\\udcff": ["\\ud800", "\U0001f600"]}

    def test_lone_surrogates_are_escaped_on_the_slow_way(self) -> None:
        assert checked_dump({("\ud800",): "\udfff"}) == {"('\\ud800',)": "\\udfff"}

    def test_subclasses_of_str_are_strings(self) -> None:
        class Text(str):
            __slots__ = ()

            def __str__(self) -> str:
                raise RuntimeError

        assert checked_dump({Text("k"): Text("v"), (1,): Text("w")}) == {"k": "v", "(1,)": "w"}

    def test_bytes(self) -> None:
        assert checked_dump({"b": b"ab\xff", "a": bytearray(b"x")}) == {"b": "b'ab\\xff'", "a": "bytearray(b'x')"}

    def test_long_bytes_are_cut(self) -> None:
        text = checked_dump(b"x" * 5_000_000)
        assert text.startswith("b'xxx")
        assert text.endswith("xxx'... (5000000 bytes)")
        assert len(text) < 2_000


class TestDumpOfKeys:
    def test_keys_as_json_dumps_writes_them(self) -> None:
        assert dump({1: 1, 1.5: 2, False: 3, None: 4}) == '{"1": 1, "1.5": 2, "false": 3, "null": 4}'

    def test_other_keys_as_text_and_the_rest_as_ever(self) -> None:
        value = {
            (1, 2): 1,
            Color.RED: 2,
            1: 3,
            1.5: 4,
            False: 5,
            None: 6,
            StrColor.RED: 7,
            IntColor.RED: 8,
            math.inf: 9,
        }
        assert checked_dump({"in": value}) == {
            "in": {"(1, 2)": 1, "Color.RED": 2, "1": 3, "1.5": 4, "false": 5, "null": 6, "r": 7, "3": 8, "Infinity": 9}
        }

    def test_unprintable_keys(self) -> None:
        assert checked_dump({Unprintable(): 1}) == {"<Unprintable: unprintable>": 1}


class TestDumpOfObjects:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), "2024-01-02 03:04:05+00:00"),
            (datetime.date(2024, 1, 2), "2024-01-02"),
            (datetime.timedelta(days=1), "1 day, 0:00:00"),
            (decimal.Decimal("1.10"), "1.10"),
            (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (pathlib.PurePosixPath("/a"), "/a"),
            (1j, "1j"),
            (Color.RED, "Color.RED"),
            (StrColor.RED, "r"),
            (IntColor.RED, 3),
            (Point(1, "b"), [1, "b"]),
            ((1, (2,)), [1, [2]]),
            (ValueError("boom"), "boom"),
            (range(3), "range(0, 3)"),
            (collections.deque([1]), "deque([1])"),
            (collections.OrderedDict(a=1), {"a": 1}),
            (collections.defaultdict(int, a=1), {"a": 1}),
            (len, "<built-in function len>"),
            (Node, "<class 'test_values.Node'>"),
            (..., "Ellipsis"),
        ],
    )
    def test_forms_that_mlflow_gives_them(self, value: object, expected: object) -> None:
        if value is Node:
            expected = str(Node)
        assert checked_dump(value) == expected
        assert checked_dump({"in": [value]}) == {"in": [expected]}
        assert checked_dump({("slow",): value}) == {"('slow',)": expected}

    def test_sets_are_lists(self) -> None:
        assert dump({"b", "a", "c"}) == '["a", "b", "c"]'
        assert checked_dump(frozenset([Point(1, "b")])) == [[1, "b"]]
        assert sorted(checked_dump({1, 2})) == [1, 2]

    def test_dataclasses_are_dicts(self) -> None:
        value = Node("a", [Node("b"), Slotted(1, {2})])
        expected = {"name": "a", "children": [{"name": "b", "children": []}, {"a": 1, "b": [2]}]}
        assert checked_dump(value) == expected
        assert checked_dump({("slow",): value}) == {"('slow',)": expected}

    def test_dataclass_with_fields_that_fail(self) -> None:
        @dataclasses.dataclass
        class Broken:
            fine: int
            unset: int = dataclasses.field(init=False)
            unprintable: Any = dataclasses.field(default_factory=Unprintable)

        assert checked_dump(Broken(1)) == {
            "fine": 1,
            "unset": "<unreadable: AttributeError>",
            "unprintable": "<Unprintable: unprintable>",
        }

    def test_dataclass_enums_are_enums(self) -> None:
        class Member(Slotted, enum.Enum):
            ONE = (1, 2)

            def __str__(self) -> str:
                return "one"

        assert checked_dump(Member.ONE) == "one"

    def test_unprintable_objects_say_so(self) -> None:
        assert checked_dump({"a": 1, "b": Unprintable()}) == {"a": 1, "b": "<Unprintable: unprintable>"}

    @pytest.mark.parametrize(("cls", "expected"), [(AnswersEverything, "anything"), (AnswersNothing, "nothing")])
    def test_objects_with_strange_attributes(self, cls: type, expected: str) -> None:
        value = cls()
        assert checked_dump(value) == expected
        assert checked_dump({("slow",): [value]}) == {"('slow',)": [expected]}

    def test_objects_that_hide_their_class(self) -> None:
        assert "Impostor object" in checked_dump([Impostor()])[0]
        assert "Impostor object" in checked_dump({(1,): Impostor()})["(1,)"]

    @pytest.mark.parametrize("make", [Mock, MagicMock])
    def test_mocks_are_their_text(self, make: Any) -> None:
        for mock in (make(name="m"), make(spec=dict), make(spec=Node("a")), make(spec=BaseModel)):
            assert checked_dump([mock]) == [str(mock)]
            assert checked_dump({(1,): mock}) == {"(1,)": str(mock)}
            assert mock.mock_calls == [] or make is MagicMock

    def test_a_metaclass_that_fails(self) -> None:
        class Meta(type):
            def __getattribute__(cls, name: str) -> Any:
                raise RuntimeError(name)

        class Thing(metaclass=Meta):
            def __repr__(self) -> str:
                return "thing"

        assert checked_dump({"t": Thing(), "c": 1}) == {"t": "thing", "c": 1}

    def test_user_code_that_dumps(self) -> None:
        class Tracing:
            def __str__(self) -> str:
                return dump([self.__class__.__name__, {"a": {1}}])

        assert checked_dump([Tracing(), Tracing()]) == ['["Tracing", {"a": [1]}]'] * 2

    def test_an_interrupt_is_not_swallowed(self) -> None:
        class Interrupting:
            def __str__(self) -> str:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            dump([Interrupting()])
        assert dump([1]) == "[1]"


class TestDumpOfIterators:
    def test_generators_are_not_consumed(self) -> None:
        def count() -> Iterator[int]:
            yield from (1, 2)

        generator, iterator, mapped = count(), iter([1, 2]), map(str, [1, 2])
        found = checked_dump({"g": generator, (1,): [iterator, mapped]})
        assert found["g"].startswith("<generator object")
        assert [list(generator), list(iterator), list(mapped)] == [[1, 2], [1, 2], ["1", "2"]]

    def test_async_generators_and_coroutines_are_not_consumed(self) -> None:
        async def count() -> AsyncIterator[int]:
            yield 1

        async def main() -> list[int]:
            generator, coroutine = count(), asyncio.sleep(0, 7)
            found = checked_dump([generator, coroutine])
            assert found[0].startswith("<async_generator object")
            assert found[1].startswith("<coroutine object")
            return [number async for number in generator] + [await coroutine]

        assert asyncio.run(main()) == [1, 7]

    def test_dict_views_are_their_text(self) -> None:
        assert checked_dump({"a": 1}.keys()) == "dict_keys(['a'])"


class TestDumpOfPydanticModels:
    def test_models_are_dicts(self) -> None:
        value = Model(
            when=datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc), extra=[Model(), {1}, SecretStr("hidden")]
        )
        assert checked_dump({"m": value}) == {
            "m": {
                "a": 1,
                "when": "2024-01-02 00:00:00+00:00",
                "extra": [{"a": 1, "when": None, "extra": None}, [1], "**********"],
            }
        }

    def test_generators_within_are_not_consumed(self) -> None:
        class Streaming(BaseModel):
            items: Iterable[int]
            raw: Any

        raw = iter([1, 2])
        source = iter([3, 4])
        value = Streaming(items=source, raw=raw)
        checked_dump(value)
        assert list(raw) == [1, 2]
        assert list(value.items) == [3, 4]

    def test_models_that_fail_to_dump(self) -> None:
        class Failing(BaseModel):
            a: int = 1

            @field_serializer("a")
            def fail(self, _: int) -> int:
                raise RuntimeError

        class Overriding(Model):
            def model_dump(self) -> dict[str, Any]:  # type: ignore[override]
                return {"mine": 1}

        assert checked_dump([Failing()]) == [{"a": 1}]
        assert checked_dump([Overriding()])[0]["a"] == 1

    def test_models_that_hold_themselves(self) -> None:
        value = Model()
        value.extra = {"self": value}
        assert checked_dump(value)["a"] == 1
        assert dump(value).count("<circular reference>") == 1

    @pytest.mark.filterwarnings("error")
    def test_models_with_values_of_wrong_types_do_not_warn(self) -> None:
        assert checked_dump(Model.model_construct(a="no"))["a"] == "no"  # type: ignore[arg-type]


class TestDumpOfNumbersAndTables:
    def test_numpy_scalars_are_numbers(self) -> None:
        np = pytest.importorskip("numpy")
        value = {"i": np.int64(3), "f": np.float32(1.5), "b": np.bool_(True), "s": np.str_("t"), np.int64(1): 2}
        assert checked_dump(value) == {"i": 3, "f": 1.5, "b": True, "s": "t", "1": 2}
        assert checked_dump(np.datetime64("2024-01-02T03:04:05", "ns")) == "2024-01-02T03:04:05.000000000"
        assert checked_dump(np.bytes_(b"a")) == "b'a'"
        assert checked_dump(np.longdouble(1.5)) in ("1.5", 1.5)

    def test_small_numpy_arrays_are_lists(self) -> None:
        np = pytest.importorskip("numpy")
        assert checked_dump({"a": np.eye(2), "e": np.array(1)}) == {"a": [[1.0, 0.0], [0.0, 1.0]], "e": 1}
        assert checked_dump(np.array([{1}, None], dtype=object)) == [[1], None]
        assert checked_dump(np.array(["2024-01-02"], dtype="datetime64[ns]")) == ["2024-01-02T00:00:00.000000000"]

    def test_big_numpy_arrays_are_abbreviated(self) -> None:
        np = pytest.importorskip("numpy")
        assert checked_dump(np.zeros(100_000)) == "[0. 0. 0. ... 0. 0. 0.]"

    def test_pandas_objects_are_their_text(self) -> None:
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame({"a": [1, 2]})
        assert checked_dump({"f": frame, "s": frame["a"]}) == {"f": str(frame), "s": str(frame["a"])}
        assert checked_dump([pd.Timestamp("2024-01-02"), pd.NaT]) == ["2024-01-02 00:00:00", "NaT"]

    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "F"])
    def test_images_are_png_files(self, mode: str) -> None:
        pil = pytest.importorskip("PIL.Image")
        url = checked_dump([pil.new(mode, (2, 3))])[0]
        file = Attachment.from_data_url(url)
        assert file.content_type == "image/png"
        assert pil.open(io.BytesIO(file.content)).size == (2, 3)

    def test_files_are_data_urls(self) -> None:
        content = b"%PDF-1.7 " + bytes(2_000)
        assert Attachment.from_data_url(checked_dump({"f": content})["f"]) == Attachment(content, "application/pdf")
        given = Attachment(b"abc", "audio/wav", "a b.wav")
        assert Attachment.from_data_url(checked_dump([given])[0]) == given


class TestDumpOfGraphs:
    def test_cycles(self) -> None:
        node = Node("a")
        node.children.append({"parent": node, "big": "x" * 1000})
        assert checked_dump(node) == {
            "name": "a",
            "children": [{"parent": "<circular reference>", "big": "x" * 1000}],
        }
        members: list[object] = [1]
        members.append(members)
        assert checked_dump((members, 2)) == [[1, "<circular reference>"], 2]
        mapping: dict[str, object] = {}
        mapping["self"] = mapping
        assert checked_dump(mapping) == {"self": "<circular reference>"}

    def test_the_same_value_twice_is_written_twice(self) -> None:
        node = Node("a")
        assert checked_dump([node, node]) == [{"name": "a", "children": []}] * 2
        assert checked_dump({(1,): [node, node]}) == {"(1,)": [{"name": "a", "children": []}] * 2}

    def test_a_dense_graph_stays_bounded(self) -> None:
        nodes = [Node(str(number)) for number in range(30)]
        for node in nodes:
            node.children = list(nodes)
        started = time.perf_counter()
        text = dump(nodes)
        assert time.perf_counter() - started < 10
        assert len(text) < 20_000_000
        assert "<repeated reference>" in text

    def test_objects_shared_on_every_level_stay_bounded(self) -> None:
        node = Node("leaf")
        for level in range(40):
            node = Node(str(level), [node, node])
        text = dump(node)
        assert len(text) < 20_000_000
        assert "<repeated reference>" in text

    def test_objects_without_end(self) -> None:
        class Endless(BaseModel):
            def model_dump(self, **_: Any) -> Any:
                return Endless()

        checked_dump(Endless())

    def test_cyclic_numpy_arrays(self) -> None:
        np = pytest.importorskip("numpy")
        array = np.array([None, 1], dtype=object)
        array[0] = array
        assert checked_dump(array) == ["<circular reference>", 1]


class TestDumpOfHostileContainers:
    def test_dict_with_items_that_fail(self) -> None:
        class Hostile(dict[str, int]):
            def items(self) -> Any:
                raise RuntimeError

            def __iter__(self) -> Any:
                raise RuntimeError

        assert checked_dump({"h": Hostile(a=1)}) == {"h": {"a": 1}}

    def test_dict_with_items_of_the_wrong_shape(self) -> None:
        class Hostile(dict[str, int]):
            def items(self) -> Any:
                return [1, 2]

        assert checked_dump([Hostile(a=1)]) == [{"a": 1}]

    def test_list_and_tuple_with_iterators_that_fail(self) -> None:
        class HostileList(list[int]):
            def __iter__(self) -> Any:
                raise RuntimeError

        class HostileTuple(tuple[int, ...]):
            __slots__ = ()

            def __iter__(self) -> Any:
                raise RuntimeError

        assert checked_dump([HostileList([1]), HostileTuple([2])]) == [[1], [2]]
        assert checked_dump({(1,): [HostileList([1]), HostileTuple([2])]}) == {"(1,)": [[1], [2]]}

    def test_numbers_that_fail(self) -> None:
        class HostileInt(int):
            def __repr__(self) -> str:
                raise RuntimeError

            def __int__(self) -> int:
                raise RuntimeError

        class HostileFloat(float):
            def __repr__(self) -> str:
                raise RuntimeError

            def __float__(self) -> float:
                raise RuntimeError

        value = [HostileInt(1), HostileFloat(2.5)]
        assert checked_dump(value) == [1, 2.5]
        assert checked_dump({(1,): value}) == {"(1,)": [1, 2.5]}
        assert [encode_attribute("k", number) for number in value] == [1, 2.5]

    def test_containers_that_other_threads_change(self) -> None:
        mapping: dict[object, object] = {(0,): 0}
        members: list[object] = [mapping]
        done = threading.Event()

        def change() -> None:
            number = 0
            while not done.is_set():
                number += 1
                mapping[number % 500] = [number]
                mapping.pop((number * 7) % 500, None)
                members.append(number)
                if len(members) > 100:
                    del members[1:]

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(300):
                checked_dump(members)
                checked_dump(members[1:])
        finally:
            done.set()
            thread.join()

    def test_many_threads_at_once(self) -> None:
        shared = {"a": [1, {"b": Node("n")}], "c": {1, 2}}
        expected = dump(shared)
        wrong: list[str] = []

        def work() -> None:
            wrong.extend(text for _ in range(500) if (text := dump(shared)) != expected)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


class TestLoad:
    def test_blanks_around(self) -> None:
        assert load(' \n{"a": [1]}\t') == {"a": [1]}

    @pytest.mark.parametrize("text", ["", " ", "{", "{'a': 1}", "abc", "1 2", "\ufeff1", "nul", '"a\nb"'])
    def test_what_is_not_json_is_an_error(self, text: str) -> None:
        with pytest.raises(json.JSONDecodeError):
            load(text)

    def test_too_deep_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="too deep"):
            load("[" * 200_000 + "]" * 200_000)

    @given(json_like_text)
    def test_as_json_loads(self, text: str) -> None:
        try:
            expected = json.loads(text)
        except ValueError as error:
            with pytest.raises(type(error), match=re.escape(str(error))):
                load(text)
        else:
            assert repr(load(text)) == repr(expected)


class TestAttributes:
    @pytest.mark.parametrize(
        "value",
        ["hello", "", "this", "-", "2024-01-01", "+1", "[INFO] x", "{x}", '"', "nulls", True, 1.5, -7, math.inf],
    )
    def test_scalars_stay_as_they_are(self, value: object) -> None:
        found = encode_attribute("key", value)
        assert found == value
        assert type(found) is type(value)

    @pytest.mark.parametrize(
        "text",
        [
            "1",
            "-1.5e3",
            "true",
            "null",
            "NaN",
            "-Infinity",
            '{"a": 1}',
            "[]",
            ' "x" ',
            "\n1\n",
            "9" * 5000,
            "[" * 2000 + "]" * 2000,
        ],
    )
    def test_text_that_reads_as_json_is_quoted(self, text: str) -> None:
        assert encode_attribute("key", text) == json.dumps(text, ensure_ascii=False)
        assert decode_attribute(encode_attribute("key", text)) == text

    @pytest.mark.parametrize("text", ["{" + "x" * 20_000 + "}", '["' + "x" * 20_000 + '"]'])
    def test_long_text_in_brackets_comes_back_too(self, text: str) -> None:
        assert decode_attribute(encode_attribute("key", text)) == text

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ([1, 2], (1, 2)),
            ((1.5,), (1.5,)),
            (["a", "1", "\ud800"], ("a", "1", "\\ud800")),
            ([True], (True,)),
            ([], ()),
            ([1, 2.0], "[1, 2.0]"),
            ([True, 1], "[true, 1]"),
            ([None], "[null]"),
            ([2**63], "[9223372036854775808]"),
            ([[1]], "[[1]]"),
            ({"a": 1}, '{"a": 1}'),
            (None, "null"),
            (INT64_MAX, INT64_MAX),
            (-INT64_MAX - 1, -INT64_MAX - 1),
            (INT64_MAX + 1, str(INT64_MAX + 1)),
            (StrColor.RED, "r"),
            (IntColor.RED, 3),
            (Color.RED, '"Color.RED"'),
            ("a\ud800", "a\\ud800"),
        ],
    )
    def test_what_opentelemetry_is_given(self, value: object, expected: object) -> None:
        found = encode_attribute("key", value)
        assert found == expected
        assert type(found) is type(expected)

    def test_numpy_scalars_are_given_as_numbers(self) -> None:
        np = pytest.importorskip("numpy")
        for value, expected in [
            (np.int64(3), 3),
            (np.float64(1.5), 1.5),
            (np.float32(1.5), 1.5),
            (np.bool_(True), True),
        ]:
            found = encode_attribute("key", value)
            assert found == expected
            assert type(found) is type(expected)

    @pytest.mark.parametrize("value", ["x", "1", 1, [1], {"a": 1}, None, True])
    def test_keys_of_mlflow_hold_json_text(self, value: object) -> None:
        assert encode_attribute("mlflow.key", value) == json.dumps(value)
        assert decode_attribute(encode_attribute("mlflow.key", value)) == value

    @given(st.sampled_from(["key", "mlflow.key"]), json_values | json_like_text)
    def test_decoding_gives_back_what_was_encoded(self, key: str, value: object) -> None:
        found = decode_attribute(encode_attribute(key, value))
        assert found == value
        assert type(found) is type(value)

    @given(any_text, any_values)
    def test_whatever_it_is_the_attribute_is_one(self, key: str, value: object) -> None:
        found = encode_attribute(key, value)
        items = found if isinstance(found, tuple) else (found,)
        assert len(set(map(type, items))) <= 1
        for item in items:
            assert type(item) in (bool, int, float, str)
            if isinstance(item, str):
                item.encode()
            elif isinstance(item, int):
                assert -INT64_MAX - 1 <= item <= INT64_MAX

    @given(json_values)
    def test_json_text_of_an_attribute(self, value: object) -> None:
        assert load(attribute_json(encode_attribute("key", value))) == value

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("x", '"x"'),
            ("1", "1"),
            ('{"a":1}', '{"a":1}'),
            ("{x", '"{x"'),
            ((1, 2), "[1, 2]"),
            (True, "true"),
            (b"a", "\"b'a'\""),
        ],
    )
    def test_json_text_of_foreign_attributes(self, value: object, expected: str) -> None:
        assert attribute_json(value) == expected

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("x", "x"),
            ("1", 1),
            ("{x", "{x"),
            ((1, 2), [1, 2]),
            (2, 2),
            ("[" * 200_000, "[" * 200_000),
            ("this", "this"),
        ],
    )
    def test_decoding_of_foreign_attributes(self, value: object, expected: object) -> None:
        assert decode_attribute(value) == expected

    def test_ten_megabytes_are_quick(self) -> None:
        texts = ["x" * 10_000_000, "é" * 10_000_000, "[" + "1, " * 3_000_000 + "1]", "9" * 10_000_000]
        started = time.perf_counter()
        for text in texts:
            encode_attribute("key", text)
        assert time.perf_counter() - started < 2


def test_clean_text_leaves_all_but_surrogates() -> None:
    assert clean_text("aé\U0001f600") == "aé\U0001f600"
    assert clean_text("a\udc00") == "a\\udc00"


def test_nothing_optional_is_imported() -> None:
    code = (
        "import sys, otflow.entities.values as v; v.dump([{1}, object(), b'x', 1j, {(1,): 2}]);"
        "print([name for name in ('numpy', 'pandas', 'pydantic', 'PIL') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
