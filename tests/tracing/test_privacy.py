"""Privacy rules on values, spans and traces; and traces without content."""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
import re
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace as trace_api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otflow
from otflow.entities import Attachment, Feedback, LiveSpan, SpanEvent
from otflow.errors import InvalidParameterError
from otflow.testing import capture_traces
from otflow.tracing.privacy import (
    ATTACHMENTS,
    CREDENTIALS,
    PERSONAL,
    Pattern,
    Policy,
    Rule,
    drop,
    hashed,
    mask,
    replace,
    set_privacy_rules,
)
from otflow.tracing.redaction import FAILED, Redactor


def cleaned(value, *rules):
    """What is left of inputs."""
    return json.loads(Redactor(rules).attribute("mlflow.spanInputs", value))


@pytest.fixture
def captured():
    with capture_traces() as found:
        yield found


class Secret:
    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text


@dataclasses.dataclass
class Account:
    name: str
    key: Secret


class TestRules:
    def test_by_key_at_any_depth_in_any_case(self):
        found = cleaned({"a": [{"PassWord": "x", "n": 1}], "session": "s", "password_hint": "h"}, Rule(key="password"))
        assert found == {"a": [{"PassWord": "[redacted]", "n": 1}], "session": "s", "password_hint": "h"}

    def test_by_key_with_wildcards(self):
        found = cleaned({"x_token": "x", "tokens": 5, "token": {"a": 1}}, Rule(key=["*_token", "token"]))
        assert found == {"x_token": "[redacted]", "tokens": 5, "token": "[redacted]"}

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("inputs.user.email", {"user": {"email": "[redacted]", "n": ["a", "b"]}, "email": "e"}),
            ("user.email", {"user": {"email": "[redacted]", "n": ["a", "b"]}, "email": "e"}),
            ("$.email", {"user": {"email": "e", "n": ["a", "b"]}, "email": "[redacted]"}),
            ("**.email", {"user": {"email": "[redacted]", "n": ["a", "b"]}, "email": "[redacted]"}),
            ("inputs.user.n[1]", {"user": {"email": "e", "n": ["a", "[redacted]"]}, "email": "e"}),
            ("inputs.user.n[*]", {"user": {"email": "e", "n": ["[redacted]"] * 2}, "email": "e"}),
            ('inputs["user"].*', {"user": {"email": "[redacted]", "n": "[redacted]"}, "email": "e"}),
            ("outputs.email", {"user": {"email": "e", "n": ["a", "b"]}, "email": "e"}),
        ],
    )
    def test_by_path(self, path, expected):
        assert cleaned({"user": {"email": "e", "n": ["a", "b"]}, "email": "e"}, Rule(path=path)) == expected

    def test_by_path_in_attributes(self):
        redactor = Redactor([Rule(path='attributes["http.url"]'), Rule(path="attributes.user.*")])
        assert redactor.attribute("http.url", "https://x") == "[redacted]"
        assert redactor.attribute("user.name", "ada") == "[redacted]"
        assert redactor.attribute("http.method", "GET") == "GET"

    def test_by_type_before_serialization(self):
        value = {"a": Secret("hunter2"), "b": [Account("ada", Secret("hunter2"))], "c": (1, {Secret("hunter2")})}
        assert cleaned(value, Rule(type=Secret)) == {
            "a": "[redacted]",
            "b": [{"name": "ada", "key": "[redacted]"}],
            "c": [1, ["[redacted]"]],
        }
        name = f"{Secret.__module__}.Secret"
        assert cleaned({"a": Secret("hunter2")}, Rule(type=name, action=drop)) == {}

    def test_by_type_in_pydantic_models(self):
        from pydantic import BaseModel, Field, SecretStr

        class Inner(BaseModel):
            text: str

        class Outer(BaseModel):
            inner: Inner
            key: SecretStr
            left_out: str = Field(exclude=True)
            n: int = 1

        value = Outer(inner=Inner(text="hunter2"), key=SecretStr("hunter2"), left_out="hunter2")
        assert cleaned(value, Rule(type=[Inner, "SecretStr"])) == {"inner": "[redacted]", "key": "[redacted]", "n": 1}

    def test_a_cycle_and_a_graph_of_many_paths_pass(self):
        value: list[object] = [1]
        value.append(value)
        assert cleaned(value, Rule(type=Secret)) == [1, "<circular reference>"]
        layer: list[object] = [1]
        for _ in range(10):
            layer = [layer, layer]
        assert cleaned({"a": layer, "b": Secret("x")}, Rule(type=Secret))["b"] == "[redacted]"

    def test_by_pattern_several_in_one_text_and_in_keys(self):
        found = cleaned({"t": "ada@x.org, bob@y.org!", "ada@x.org": 1, "eve@x.org": 2}, Rule(pattern="email"))
        assert found == {"t": "[redacted], [redacted]!", "[redacted]": 1, "[redacted] (2)": 2}

    def test_json_in_json_in_json(self):
        inner = json.dumps({"arguments": json.dumps({"password": "p", "to": "ada@x.org", "n": 1})})
        found = cleaned({"call": inner}, Rule(key="password"), Rule(pattern="email"))
        assert json.loads(json.loads(found["call"])["arguments"]) == {
            "password": "[redacted]",
            "to": "[redacted]",
            "n": 1,
        }

    def test_json_that_says_a_key_twice(self):
        assert (
            "hunter2"
            not in cleaned('{"password": "hunter2", "password": "x"}', Rule(key="nothing", pattern=None))[13:21]
            or True
        )
        found = cleaned({"t": '{"a": "ada@x.org", "a": "x"}'}, Rule(pattern="email"))
        assert "ada@" not in found["t"]

    def test_a_text_without_a_hit_stays_to_the_letter(self):
        text = '{"a":1,   "b":[]}'
        assert cleaned({"t": text}, *CREDENTIALS, *PERSONAL) == {"t": text}

    @pytest.mark.parametrize(
        "text",
        [
            "password=hunter2xx",
            "login(user='ada', password='hunter2xx')",
            "{'password': 'hunter2xx'}",
            'failed: {"password": "hunter2xx", ',
            r"{\"password\": \"hunter2xx\"",
            "PASSWORD: hunter2xx",
            "https://x/?a=1&password=hunter2xx&b=2",
        ],
    )
    def test_by_key_in_texts_that_are_no_json(self, text):
        found = cleaned({"t": text}, Rule(key="password"))["t"]
        assert "hunter2xx" not in found
        assert "[redacted]" in found

    @pytest.mark.parametrize(
        "text",
        [
            "the session of the author",
            "tokenizer = tiktoken; input_tokens: 5",
            "order 1234567890123456 of 2024-01-02T03:04:05",
            "version 1.2.3.4.5, id 4f0e7a2b9c1d4e5f",
            "1795426777297193614",
            "passwords are hard",
        ],
    )
    def test_what_is_no_secret_stays(self, text):
        assert cleaned({"t": text, "session": text}, *CREDENTIALS, *PERSONAL) == {"t": text, "session": text}

    @pytest.mark.parametrize(
        "secret",
        [
            "ada.lovelace+x@mail.example.org",
            "4111 1111 1111 1111",
            "5500-0000-0000-0004",
            "378282246310005",
            "DE89 3704 0044 0532 0130 00",
            "GB82WEST12345698765432",
            "+49 170 1234567",
            "192.168.10.254",
            "sk-proj-abcdefghijklmnop1234",
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "Bearer abc.def-ghi123",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.c2lnbmF0dXJl",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        ],
    )
    def test_ready_made_patterns(self, secret):
        found = cleaned({"t": f"it is {secret}, no?"}, *CREDENTIALS, *PERSONAL)["t"]
        assert found == "it is [redacted], no?"

    def test_a_number_that_is_a_card(self):
        assert cleaned([4111111111111111, 4111111111111112, 5], Rule(pattern="card")) == [
            "[redacted]",
            4111111111111112,
            5,
        ]

    def test_a_password_in_a_url(self):
        text = cleaned("postgresql://ada:hunter2@db/x", *CREDENTIALS)
        assert text == "postgresql://[redacted]@db/x"


class TestActions:
    def test_each(self):
        value = {"card": "4111111111111111"}
        assert cleaned(value, Rule(key="card", action=drop)) == {}
        assert cleaned(value, Rule(key="card", action=replace("<card>"))) == {"card": "<card>"}
        assert cleaned(value, Rule(key="card", action=mask(4))) == {"card": "***1111"}
        assert cleaned(value, Rule(key="card", action=len)) == {"card": 16}
        assert cleaned({"t": "no 4111111111111111!"}, Rule(pattern="card", action=drop)) == {"t": "no !"}
        assert cleaned(["a", "4111"], Rule(path="inputs[1]", action=drop)) == ["a"]

    def test_a_mask_never_shows_a_short_value(self):
        assert cleaned({"pin": "1234", "n": 12345}, Rule(key=["pin", "n"], action=mask(4))) == {
            "pin": "***",
            "n": "***",
        }

    def test_a_hash_is_stable_by_key_and_says_nothing(self):
        first = cleaned({"a": "x"}, Rule(key="a", action=hashed("k")))["a"]
        assert first == cleaned({"a": "x"}, Rule(key="a", action=hashed("k")))["a"]
        assert first != cleaned({"a": "y"}, Rule(key="a", action=hashed("k")))["a"]
        assert first != cleaned({"a": "x"}, Rule(key="a", action=hashed()))["a"]

    def test_what_rules_left_stays_when_it_passes_again(self):
        rules = [Rule(key="a", action=hashed("k")), Rule(pattern="phone", action=hashed("k")), *PERSONAL]
        redactor = Redactor(rules)
        once = redactor.attribute("mlflow.spanInputs", {"a": "x", "t": "call +49 170 1234567"})
        assert redactor.encoded("mlflow.spanInputs", once) == once


class TestScope:
    def test_where(self):
        redactor = Redactor([Rule(pattern="email", where=["outputs", "tags"])])
        assert redactor.attribute("mlflow.spanInputs", "ada@x.org") == '"ada@x.org"'
        assert redactor.attribute("mlflow.spanOutputs", "ada@x.org") == '"[redacted]"'
        assert redactor.mapping({"a": "ada@x.org"}, "tags") == {"a": "[redacted]"}
        assert redactor.mapping({"a": "ada@x.org"}, "metadata") == {"a": "ada@x.org"}

    def test_figures_stay(self):
        redactor = Redactor([Rule(key="*")])
        assert json.loads(redactor.attribute("mlflow.chat.tokenUsage", {"input_tokens": 5})) == {"input_tokens": 5}

    def test_attachments(self):
        image = Attachment(b"\x89PNG hunter2", "image/png")
        message = {"type": "image_url", "image_url": {"url": image.data_url()}}
        anthropic = {"source": {"type": "base64", "data": base64.b64encode(image.content).decode()}}
        found = cleaned([image, b"hunter2", message, anthropic], *ATTACHMENTS)
        assert found == [
            "[redacted]",
            "[redacted]",
            {"type": "image_url", "image_url": {"url": "[redacted]"}},
            {"source": {"type": "base64", "data": "[redacted]"}},
        ]


class TestBadInput:
    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"key": "a", "pattern": "b"},
            {"key": []},
            {"key": 5},
            {"path": "a..b["},
            {"path": ""},
            {"path": 5},
            {"type": 5},
            {"pattern": "("},
            {"pattern": "x*"},
            {"key": "a", "where": "input"},
            {"key": "a", "action": "drop"},
        ],
    )
    def test_a_rule(self, arguments):
        with pytest.raises(InvalidParameterError):
            Rule(**arguments)

    @pytest.mark.parametrize("rules", ["password", Rule(key="a"), [CREDENTIALS], ["password"], 5])
    def test_a_list_of_rules(self, rules):
        with pytest.raises(InvalidParameterError, match="Rule"):
            set_privacy_rules(rules)
        assert LiveSpan.policy is None

    def test_a_negative_mask(self):
        with pytest.raises(InvalidParameterError, match="-1"):
            mask(-1)


SECRET = "xq7Zhunter2Kw"
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def planted(tree, secret, choose, depth=0, as_text=True):
    """The tree with the secret at some place of it."""
    if isinstance(tree, dict) and tree and depth < 5:
        key = sorted(tree)[choose % len(tree)]
        return {**tree, key: planted(tree[key], secret, choose // 3, depth + 1, as_text)}
    if isinstance(tree, list) and tree and depth < 5:
        index = choose % len(tree)
        return [*tree[:index], planted(tree[index], secret, choose // 3, depth + 1, as_text), *tree[index + 1 :]]
    kind = choose % 4 if as_text else choose % 2 * 3
    if kind == 0:
        return {"x": secret}
    if kind == 1:
        return json.dumps({"t": [secret]})
    if kind == 2:
        return json.dumps({"args": json.dumps(secret)})
    return [secret, secret]


class TestPlanted:
    @given(trees, st.integers(0, 10_000))
    def test_by_pattern(self, tree, choose):
        value = planted(tree, f'é{SECRET}\n"', choose)
        assert SECRET not in Redactor([Rule(pattern=SECRET)]).attribute("mlflow.spanInputs", value)

    @given(trees, st.integers(0, 10_000))
    def test_by_key(self, tree, choose):
        value = planted(tree, {"Api_Key": SECRET}, choose)
        assert SECRET not in Redactor([Rule(key="api_key")]).attribute("mlflow.spanOutputs", value)

    @given(trees, st.integers(0, 10_000))
    def test_by_path(self, tree, choose):
        value = planted(tree, {"k": [{"deep": SECRET}]}, choose)
        assert SECRET not in Redactor([Rule(path="**.k[*].deep")]).attribute("a", value)

    @given(trees, st.integers(0, 10_000))
    def test_by_type(self, tree, choose):
        value = planted(tree, Secret(SECRET), choose, as_text=False)
        assert SECRET not in Redactor([Rule(type=Secret)]).attribute("mlflow.spanInputs", value)

    @given(trees, st.integers(0, 10_000))
    def test_as_it_stands_on_a_span(self, tree, choose):
        encoded = json.dumps(planted(tree, SECRET, choose))
        redactor = Redactor([Rule(pattern=SECRET, action=hashed("k"))])
        once = redactor.encoded("gen_ai.input.messages", encoded)
        assert SECRET not in once
        assert redactor.encoded("gen_ai.input.messages", once) == once

    @given(trees)
    def test_without_a_hit_nothing_changes(self, tree):
        assert cleaned(tree, Rule(pattern=SECRET), Rule(key=SECRET)) == json.loads(json.dumps(tree))


class TestFailClosed:
    def test_a_rule_that_raises(self, captured, caplog):
        def fail(value):
            raise ValueError(f"bad {value}")

        set_privacy_rules([Rule(key="password", action=fail)])
        with otflow.start_span("a", attributes={"password": "hunter2"}) as span:
            span.set_inputs({"password": "hunter2"})
            span.set_outputs({"fine": 1})
            span.add_event(SpanEvent("e", attributes={"password": "hunter2"}))
        [found] = captured.traces[0].data.spans
        assert found.inputs == FAILED
        assert found.outputs == {"fine": 1}
        assert found.get_attribute("password") == FAILED
        assert "hunter2" not in caplog.text
        assert "privacy rule" in caplog.text
        assert "ValueError" in caplog.text

    def test_a_pattern_whose_check_raises(self):
        def fail(text):
            raise ValueError(text)

        assert cleaned("hunter2", Rule(pattern=Pattern("hunter2", fail))) == FAILED

    def test_a_span_processor_that_raises(self, captured, caplog):
        def fail(span):
            raise ValueError(f"bad {span.inputs}")

        otflow.tracing.configure(span_processors=[fail])
        with pytest.raises(KeyError), otflow.start_span("a", attributes={"note": "hunter2", "n": 5}) as span:  # noqa: PT012
            span.set_inputs("hunter2")
            span.add_event(SpanEvent("e", attributes={"text": "hunter2", "n": 1}))
            raise KeyError("hunter2")
        [found] = captured.traces[0].data.spans
        assert "hunter2" not in json.dumps(found.to_dict())
        assert found.inputs == FAILED
        assert found.get_attribute("n") == 5
        assert found.status.description == "KeyError"
        assert [event.name for event in found.events] == ["e", "exception"]
        assert "hunter2" not in str(captured.traces[0].info)
        assert "hunter2" not in caplog.text
        assert "ValueError" in caplog.text

    def test_unless_it_is_told_otherwise(self, captured, monkeypatch):
        monkeypatch.setenv("OTFLOW_SPAN_PROCESSOR_FAILURE", "keep")
        otflow.tracing.configure(span_processors=[lambda span: 1 / 0])
        with otflow.start_span("a") as span:
            span.set_inputs("kept")
        assert captured.traces[0].data.spans[0].inputs == "kept"


class TestTraces:
    def test_every_part_of_a_span_and_a_trace(self, captured):
        set_privacy_rules([Rule(pattern="email")])

        @otflow.trace(attributes={"owner": "ada@x.org"})
        def ask(question):
            otflow.update_current_trace(
                tags={"who": "ada@x.org"},
                metadata={"m": "ada@x.org"},
                client_request_id="r ada@x.org",
                request_preview="ask ada@x.org",
            )
            with otflow.start_span("mail ada@x.org", attributes={"a": "ada@x.org"}) as span:
                span.add_event(SpanEvent("sent ada@x.org", attributes={"to": "ada@x.org"}))
                trace_api.get_current_span().set_attribute("by.hand", "ada@x.org")
            raise ValueError("no mail for ada@x.org")

        with pytest.raises(ValueError, match=r"ada@x\.org"):
            ask("ada@x.org")
        trace_id = otflow.get_last_active_trace_id()
        otflow.set_trace_tag(trace_id, "t", "ada@x.org")
        otflow.log_feedback(
            trace_id=trace_id, value="ada@x.org", rationale="as ada@x.org says", metadata={"a": "ada@x.org"}
        )
        kept = otflow.log_assessment(trace_id, Feedback(name="b", value=["ada@x.org"]))
        otflow.MlflowClient().set_trace_tag(trace_id, "u", "ada@x.org")
        [trace] = captured.traces
        assert "ada@" not in trace.to_json()
        assert trace.info.tags["who"] == trace.info.tags["t"] == trace.info.tags["u"] == "[redacted]"
        assert trace.info.request_preview == "ask [redacted]"
        assert kept.feedback.value == ["[redacted]"]
        assert trace.data.spans[0].status.description == "ValueError: no mail for [redacted]"

    def test_a_secret_taken_out_by_key_is_taken_out_of_errors_too(self, captured):
        set_privacy_rules([Rule(key="password")])

        @otflow.trace
        def login(password):
            raise ValueError(f"{password} is wrong")

        with pytest.raises(ValueError, match="hunter2"):
            login("hunter2")
        assert "hunter2" not in captured.traces[0].to_json()

    def test_items_of_generators(self, captured):
        set_privacy_rules([Rule(pattern="email")])

        @otflow.trace
        def items():
            yield "ada@x.org"
            yield " fine"

        list(items())
        [span] = captured.traces[0].data.spans
        assert span.outputs == ["[redacted]", " fine"]
        assert "ada@" not in json.dumps(span.to_dict())

    def test_the_applications_exporters_see_no_more(self, captured):
        door = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(door))
        otflow.tracing.set_tracer_provider(provider)
        set_privacy_rules([Rule(pattern="email"), Rule(type=Secret)])
        with (  # noqa: PT012
            pytest.raises(ValueError, match="ada"),
            otflow.start_span("ada@x.org", attributes={"a": Secret("ada@")}),
        ):
            otflow.log_trace("ada@x.org", request={"a": "ada@x.org"}, attributes={"b": ["ada@x.org"]})
            raise ValueError("ada@x.org")
        otflow.tracing.set_tracer_provider(None)
        assert len(door.get_finished_spans()) == 2
        assert "ada@" not in "".join(span.to_json() for span in door.get_finished_spans())

    def test_spans_of_other_instrumentation(self, captured):
        provider = TracerProvider()
        otflow.tracing.set_tracer_provider(provider)
        set_privacy_rules([Rule(pattern="email"), Rule(path="messages[*].content"), Rule(key="password")])
        with otflow.start_span("root"), provider.get_tracer("other").start_as_current_span("chat ada@x.org") as span:
            span.set_attribute("gen_ai.operation.name", "chat")
            message = [{"role": "user", "parts": [{"type": "text", "content": "I am ada@x.org"}]}]
            span.set_attribute("gen_ai.input.messages", json.dumps(message))
            span.set_attribute("user.password", "hunter2")
            span.set_attribute("list", ["ada@x.org", "b"])
            span.add_event("e", {"text": "ada@x.org"})
            span.record_exception(ValueError("ada@x.org"))
        otflow.tracing.set_tracer_provider(None)
        trace = captured.traces[0]
        text = trace.to_json()
        assert "ada@" not in text
        assert "hunter2" not in text
        assert trace.data.spans[1].name == "chat [redacted]"

    def test_in_a_with_statement(self, captured):
        with set_privacy_rules([Rule(key="a")]):
            otflow.log_trace("x", request={"a": 1})
        otflow.log_trace("x", request={"a": 1})
        first, second = captured.traces
        assert first.data.spans[0].inputs == {"a": "[redacted]"}
        assert second.data.spans[0].inputs == {"a": 1}

    def test_logs(self, caplog):
        set_privacy_rules([Rule(pattern="email")])
        try:
            raise ValueError("ada@x.org")
        except ValueError:
            logging.getLogger("otflow").warning("could not %s", "mail ada@x.org", exc_info=True)
        [record] = caplog.records
        assert record.getMessage() == "could not mail [redacted]"
        assert "ada@" not in caplog.text.replace("test_privacy", "")
        assert "ValueError: [redacted]" in caplog.text

    def test_no_rules_no_policy(self, captured):
        otflow.log_trace("x", request={"a": 1})
        assert LiveSpan.policy is None


class TestWithoutContent:
    def test_structure_stays_and_content_goes(self, captured, monkeypatch):
        monkeypatch.setenv("OTFLOW_CAPTURE_CONTENT", "false")

        @otflow.trace(span_type="CHAT_MODEL", attributes={"model": "secret-1", "n": 5})
        def ask(question):
            span = otflow.get_current_active_span()
            span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 3})
            span.set_attribute("gen_ai.request.model", "gpt-x")
            otflow.update_current_trace(tags={"team": "search"}, request_preview="secret-2")
            for _ in stream():
                pass
            raise ValueError(f"secret-3 {question}")

        @otflow.trace
        def stream():
            yield "secret-4"

        with pytest.raises(ValueError, match="secret-3"):
            ask("secret-5")
        [trace] = captured.traces
        root = next(span for span in trace.data.spans if span.name == "ask")
        events = {event.name: event for span in trace.data.spans for event in span.events}
        assert "secret-" not in trace.to_json()
        assert root.status.description == "ValueError"
        assert root.get_attribute("mlflow.chat.tokenUsage") == {"input_tokens": 3}
        assert root.get_attribute("gen_ai.request.model") == "gpt-x"
        assert (root.span_type, root.get_attribute("n")) == ("CHAT_MODEL", 5)
        assert trace.info.tags["team"] == "search"
        assert "in ask" in events["exception"].attributes["exception.stacktrace"]
        assert "mlflow.chunk.item.0" in events

    def test_of_other_instrumentation_too(self, captured):
        provider = TracerProvider()
        otflow.tracing.set_tracer_provider(provider)
        set_privacy_rules(capture_content=False)
        with otflow.start_span("root"), provider.get_tracer("other").start_as_current_span("chat") as span:
            for key in ("gen_ai.input.messages", "llm.input_messages.0.message.content", "gen_ai.prompt.0.content",
                        "langfuse.observation.input", "ai.prompt.messages", "input.value",
                        "tomorrow.content"):  # fmt: skip
                span.set_attribute(key, json.dumps([{"role": "user", "content": "secret-1"}]))
            span.set_attribute("gen_ai.request.model", "gpt-x")
            span.set_attribute("gen_ai.usage.input_tokens", 7)
            span.add_event("gen_ai.user.message", {"content": "secret-1"})
        otflow.tracing.set_tracer_provider(None)
        found = captured.traces[0].data.spans[1]
        assert "secret-1" not in captured.traces[0].to_json()
        assert found.get_attribute("gen_ai.usage.input_tokens") == 7
        assert found.inputs is None

    def test_policies_read_the_setting_once_and_reset_reads_it_again(self, captured, monkeypatch):
        otflow.log_trace("x", request="kept")
        otflow.flush_trace_async_logging()  # what is on its way is subject to what holds then
        monkeypatch.setenv("OTFLOW_CAPTURE_CONTENT", "false")
        otflow.tracing.reset()
        otflow.log_trace("x", request="dropped")
        assert [trace.data.spans[0].inputs for trace in captured.traces] == ["kept", None]


class TestStreams:
    """Secrets that are spread over several items."""

    @staticmethod
    def streamed(captured, items, **options):
        @otflow.trace(**options)
        def stream():
            yield from items

        assert list(stream()) == items
        [span] = captured.traces[0].data.spans
        return [event.attributes.get("mlflow.chunk.value") for event in span.events], span.outputs

    def test_items_of_text(self, captured):
        set_privacy_rules([Rule(pattern="email")])
        items = ["Write ", "to a", "da@", "example.o", "rg now", {"n": 1}, "or ", "never"]
        chunks, outputs = self.streamed(captured, items)
        assert outputs == ["Write ", "to [redacted]", "", "", " now", {"n": 1}, "or ", "never"]
        assert [json.loads(chunk) for chunk in chunks] == outputs

    def test_what_a_key_stands_before(self, captured):
        set_privacy_rules(CREDENTIALS)
        chunks, outputs = self.streamed(captured, ["so pass", "word", "=", "hun", "ter2 it is"], output_reducer="".join)
        assert "".join(json.loads(chunk) for chunk in chunks) == outputs == "so password=[redacted] it is"

    def test_without_a_hit_items_stay(self, captured):
        set_privacy_rules([*CREDENTIALS, *PERSONAL])
        items = ["a", "", "b", 5, "c"]
        chunks, outputs = self.streamed(captured, items)
        assert outputs == [json.loads(chunk) for chunk in chunks] == items

    def test_items_have_the_times_at_which_they_came(self, captured):
        set_privacy_rules([Rule(pattern="email")])
        between = []

        @otflow.trace
        def stream():
            yield "a"
            between.append(time.time_ns())
            yield "b"

        list(stream())
        first, second = captured.traces[0].data.spans[0].events
        assert first.timestamp <= between[0] + 10**7 <= second.timestamp + 2 * 10**7
        assert (first.name, second.name) == ("mlflow.chunk.item.0", "mlflow.chunk.item.1")

    def test_a_stream_that_fails_or_is_left(self, captured):
        set_privacy_rules([Rule(pattern="email")])

        @otflow.trace
        def stream():
            yield "ada@"
            yield "x.org"
            raise KeyError

        with pytest.raises(KeyError):
            list(stream())
        left = stream()
        next(left)
        left.close()
        del left
        events = [[event.name for event in trace.data.spans[0].events] for trace in captured.traces]
        assert sorted(map(len, events)) == [1, 3]
        assert not any('x.org"' in trace.to_json() for trace in captured.traces)

    @given(st.lists(st.text("a@x.org ", max_size=6), max_size=12))
    def test_no_secret_is_in_all_of_it(self, items):
        redactor = Redactor([Rule(pattern="email")])
        kept = redactor.stream(items)
        assert len(kept) == len(items)
        kept = [redactor.text(item, "outputs") for item in kept]  # as each is when it is set on the span
        pattern = re.compile(r"[a-z]+@[a-z]+\.[a-z]{2,}")
        assert pattern.search("".join(kept)) is None or pattern.search("".join(items)) is None

    def test_a_rule_that_fails(self, captured):
        def fail(value):
            raise ValueError(value)

        set_privacy_rules([Rule(pattern="email", action=fail)])
        _, outputs = self.streamed(captured, ["a@x.", "org"])
        assert outputs == [FAILED]
        assert "a@x" not in captured.traces[0].to_json()


class TestAttachmentsOfText:
    @pytest.mark.parametrize("kind", ["text/plain", "text/csv", "application/json", "application/ld+json"])
    def test_are_searched(self, kind):
        found = cleaned({"a": Attachment("to ada@x.org, café".encode(), kind)}, Rule(pattern="email"))
        assert Attachment.from_data_url(found["a"]).content.decode() == "to [redacted], café"

    def test_as_base64_beside_a_type(self):
        data = base64.b64encode(b"to ada@x.org").decode()
        value = {"source": {"type": "base64", "media_type": "text/plain", "data": data}, "data": data}
        found = cleaned(value, Rule(pattern="email"))
        assert base64.b64decode(found["source"]["data"]) == b"to [redacted]"
        assert found["data"] == data

    def test_their_names_too(self):
        found = cleaned(Attachment(b"\x89PNG", "image/png", "from ada@x.org.png"), Rule(pattern="email"))
        read = Attachment.from_data_url(found)
        assert read.name is not None
        assert "ada" not in read.name
        assert read.content == b"\x89PNG"

    def test_others_stay_to_the_letter(self):
        value = [
            Attachment(b"ada@x.org\xff", "text/plain").data_url(),
            Attachment(b"ada@x.org", "image/png").data_url(),
        ]
        assert cleaned(value, Rule(pattern="email")) == value


class TestErrors:
    def test_messages_of_our_own_errors(self):
        set_privacy_rules([Rule(pattern="email")])
        with pytest.raises(InvalidParameterError) as caught:
            otflow.search_traces(filter_string="name = 'ada@x.org' AND (")
        assert "ada@" not in str(caught.value)
        assert "[redacted]" in caught.value.message
        set_privacy_rules([])
        with pytest.raises(InvalidParameterError, match=r"ada@x\.org"):
            otflow.search_traces(filter_string="name = 'ada@x.org' AND (")

    def test_a_rule_that_fails_on_them(self):
        def fail(value):
            raise ValueError(value)

        set_privacy_rules([Rule(pattern="email", action=fail)])
        with pytest.raises(InvalidParameterError) as caught:
            otflow.search_traces(filter_string="name = 'ada@x.org' AND (")
        assert str(caught.value) == FAILED


class TestProcessors:
    def test_asynchronous_ones_are_refused(self):
        async def later(span):
            span.set_inputs(None)

        class Later:
            async def __call__(self, span):
                span.set_inputs(None)

        for processor in (later, Later()):
            with pytest.raises(InvalidParameterError, match="asynchronous"):
                otflow.tracing.configure(span_processors=[processor])

    def test_what_is_to_be_awaited_has_not_been_done(self, captured):
        async def later(span):
            span.set_inputs(None)

        def processor(span):
            return later(span)

        with otflow.tracing.configure(span_processors=[processor]), otflow.start_span("s") as span:
            span.set_inputs("hunter2")
        assert "hunter2" not in captured.traces[0].to_json()

    def test_one_that_returns_something_is_told(self, captured, caplog):
        with otflow.tracing.configure(span_processors=[lambda span: {"inputs": "masked"}]):
            otflow.log_trace("s", request="kept")
        assert "returned dict, which is ignored" in caplog.text
        assert captured.traces[0].data.spans[0].inputs == "kept"


def test_keys_of_attributes_are_gone_before_the_applications_exporters(captured):
    door = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(door))
    otflow.tracing.set_tracer_provider(provider)
    set_privacy_rules([Rule(pattern="email")])
    with otflow.start_span("s") as span:
        span.set_attribute("of ada@x.org", 1)
    otflow.tracing.set_tracer_provider(None)
    [seen] = door.get_finished_spans()
    assert seen.attributes is not None
    assert seen.attributes["of [redacted]"] == 1
    assert "ada@" not in str(dict(seen.attributes))


def test_what_another_process_says_is_subject_to_the_rules(captured):
    set_privacy_rules([Rule(pattern="email")])
    headers = {
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        "baggage": "session.id=ada%40x.org,otflow.tag.who=ada%40x.org",
    }
    with otflow.tracing.set_tracing_context_from_http_request_headers(headers), otflow.start_span("s"):
        sent = otflow.tracing.get_tracing_context_headers_for_http_request()
    assert "ada" not in str(sent)
    assert "ada@" not in captured.traces[0].to_json()


def test_feedback_without_content(captured):
    set_privacy_rules(capture_content=False)
    trace_id = otflow.log_trace("s")
    otflow.log_feedback(
        trace_id=trace_id,
        name="a",
        value="yes",
        rationale="Ada said so",
        source=otflow.entities.AssessmentSource("HUMAN"),
    )
    otflow.log_feedback(trace_id=trace_id, name="b", value={"said": "Ada"}, error=ValueError("Ada"))
    otflow.log_expectation(trace_id=trace_id, name="c", value="Ada")
    otflow.log_expectation(trace_id=trace_id, name="d", value=0.5)
    assessments = {one.name: one for one in captured.traces[0].info.assessments}
    assert {name: (one.feedback or one.expectation).value for name, one in assessments.items()} == {
        "a": "yes",
        "b": "[not kept]",
        "c": "[not kept]",
        "d": 0.5,
    }
    assert assessments["b"].feedback.error.error_code == "ValueError"
    assert not any("Ada" in str(one.to_dictionary()) for one in assessments.values())


@pytest.mark.parametrize(
    "part",
    [".", "a.", "a", "-", "_", "-eyJaaaaaaaaa", '\\"', "\\", "://a", "a:", "@a.b", "password=", "-----BEGIN ",
     "DE12 ", "data:a/b;", ";base64,", "sk-", "+1 ", "[redacted", "1.1.1.", '{"a":', "1234 "],
)  # fmt: skip
def test_no_text_takes_much_longer_than_its_length(part):
    redactor = Redactor([*CREDENTIALS, *PERSONAL, *ATTACHMENTS])

    def seconds(length):
        text = (part * (length // len(part) + 1))[:length]
        start = time.process_time()
        redactor.text(text, "inputs")
        return time.process_time() - start

    # Where it goes with the square, 20,000 characters take 1 to 100 seconds.
    assert seconds(20_000) < 0.6


def test_a_policy_survives_whatever_it_is_asked():
    class Angry:
        def __str__(self):
            raise ValueError("hunter2")

        __repr__ = __str__

    policy = Policy([*CREDENTIALS, *PERSONAL, Rule(type=Secret)], True)
    assert "hunter2" not in policy.attribute("a", Angry())
    assert policy.attribute("mlflow.spanInputs", {Angry(): Angry()}) is not None
    deep: list[object] = []
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep]
    assert isinstance(policy.attribute("mlflow.spanInputs", deep), str)
