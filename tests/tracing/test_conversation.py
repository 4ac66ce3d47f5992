"""Chats among values: nothing that a value holds is lost between its messages and the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.tracing.conversation import conversation, said

USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}


@pytest.mark.parametrize(
    ("value", "messages", "rest"),
    [
        (USER, [USER], None),
        ([USER, USER], [USER, USER], None),
        ({"messages": [USER], "model": "m"}, [USER], {"model": "m"}),
        ({"input": [USER]}, [USER], None),
        (
            {"choices": [{"message": USER, "finish_reason": "stop"}], "id": "r"},
            [USER],
            {"id": "r", "choices": [{"finish_reason": "stop"}]},
        ),
        ([], [], []),
        ([USER, "hi"], [], [USER, "hi"]),
        ({"messages": "hi"}, [], {"messages": "hi"}),
        ({"role": "admin", "name": "Ann"}, [], {"role": "admin", "name": "Ann"}),
        ("hi", [], "hi"),
    ],
)
def test_the_messages_and_the_rest(value, messages, rest):
    assert conversation(value) == (messages, rest)


@pytest.mark.parametrize(
    ("message", "text", "rest"),
    [
        (USER, "hi", None),
        ({"role": "user", "content": None}, "", None),
        ({"role": "user", "content": ["a", {"type": "text", "text": "b"}]}, "a\nb", None),
        ({"role": "user", "content": [{"type": "image_url"}]}, "", {"content": [{"type": "image_url"}]}),
        ({"role": "tool", "content": "7", "tool_call_id": "c1"}, "7", {"tool_call_id": "c1"}),
        ({"role": "assistant", "content": "", "tool_calls": [CALL]}, 'find({"q": 1})  # c1', None),
        ({"role": "assistant", "tool_calls": [{"odd": 1}]}, "", {"tool_calls": [{"odd": 1}]}),
    ],
)
def test_what_a_message_says(message, text, rest):
    assert said(message) == (text, rest)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["text", "user", "x1", "y2"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "choices", "message", "role", "content", "type", "text", "tool_calls", "function", "name"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_no_text_of_a_value_is_lost(value):
    messages, rest = conversation(value)
    shown = json.dumps([rest, [(message["role"], said(message)) for message in messages]])
    for word in ("x1", "y2"):
        assert (word in json.dumps(value)) == (word in shown)
