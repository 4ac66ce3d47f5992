"""Versions of prompts: their templates, filled in and shown."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otflow.entities.model_registry import PromptVersion
from otflow.errors import InvalidParameterError, OtflowError


def text(template: str) -> PromptVersion:
    return PromptVersion("greeting", 1, template)


class TestVariables:
    @pytest.mark.parametrize(
        ("template", "names"),
        [
            ("Hi {{ name }} and {{x}}{{ x }}", {"name", "x"}),
            ("{{a.b}} {{_u}} {{grüße}}", {"a.b", "_u", "grüße"}),
            ("{{1a}} {{a-b}} {y} {{}} {{ }} {{ a b }} {{n|upper}}", set()),
            ("", set()),
            ([{"role": "{{r}}", "content": [{"type": "text", "text": "{{q}}"}]}], {"r", "q"}),
            ([{"role": "assistant", "content": None}], set()),
        ],
    )
    def test_stand_in_double_braces(self, template, names):
        assert text(template).variables == names

    def test_in_single_braces(self):
        assert text("Hi {{ name }} {{1a}} {y}").to_single_brace_format() == "Hi {name} {{1a}} {y}"
        chat = text([{"role": "user", "content": "Hi {{name}}"}])
        assert chat.to_single_brace_format() == [{"role": "user", "content": "Hi {name}"}]


class TestFormat:
    def test_fills_in(self):
        prompt = text("Hi {{ name }} {{x}}")
        assert prompt.format(name=1, x=None) == "Hi 1 None"
        assert prompt.format(name="A", x="B", further="C") == "Hi A B"
        assert prompt.format(name=r"\1\g<0>", x="") == r"Hi \1\g<0> "

    def test_takes_values_as_they_are(self):
        assert text("{{a}} {{b}}").format(a="{{b}}", b="{{a}}") == "{{b}} {{a}}"

    def test_names_all_that_is_missing(self):
        with pytest.raises(
            InvalidParameterError, match=r"Missing variables: \{'b', 'c'\}\..*allow_partial=True"
        ) as raised:
            text("{{a}} {{b}} {{c}}").format(a=1)
        assert raised.value.error_code == "INVALID_PARAMETER_VALUE"

    def test_partly(self):
        prompt = PromptVersion(
            "p", 2, "{{a}} {{b}}", "why", 5, {"k": "v"}, ["best"], 6, "me", {"type": "object"}, {"top_k": 1}
        )
        partial = prompt.format(allow_partial=True, a="A")
        assert isinstance(partial, PromptVersion)
        assert {**dict(partial), "template": None, "variables": None} == {
            **dict(prompt),
            "template": None,
            "variables": None,
        }
        assert partial.template == "A {{b}}"
        assert partial.format(b="B") == "A B"
        assert prompt.template == "{{a}} {{b}}"
        assert text("{{a}}").format(allow_partial=True, a="A") == "A"

    def test_of_chat(self):
        template: list[dict[str, Any]] = [
            {"role": "{{who}}", "content": "Hi {{name}}", "name": "b"},
            {"role": "user", "content": [{"type": "text", "text": "{{name}}"}, {"type": "image", "width": 5}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "{{name}}"}]},
        ]
        before = copy.deepcopy(template)
        prompt = text(template)
        assert prompt.format(who="system", name="Ada") == [
            {"role": "system", "content": "Hi Ada", "name": "b"},
            {"role": "user", "content": [{"type": "text", "text": "Ada"}, {"type": "image", "width": 5}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "Ada"}]},
        ]
        assert template == before
        assert prompt.template == before
        assert not prompt.is_text_prompt

    @given(st.text(), st.dictionaries(st.sampled_from("abc"), st.text()))
    def test_never_fails_partly_and_leaves_the_rest(self, template, values):
        prompt = text(template + "{{a}}{{b}}")
        filled = prompt.format(allow_partial=True, **values)
        if isinstance(filled, PromptVersion):
            assert prompt.variables - values.keys()
        else:
            assert prompt.variables <= values.keys()
            assert filled.endswith(values["a"] + values["b"])


class TestJinja:
    def test_statements_make_it_jinja(self):
        prompt = text("{% for i in items %}{{ i }},{% endfor %}{{ a }}")
        assert prompt.format(items=[1, 2], a="A") == "1,2,A"
        assert prompt.format(items=[1], allow_partial=True) == "1,"
        chat = text([{"role": "user", "content": "{% if a %}x{% endif %}{{b}}"}])
        assert chat.format(a=1, b="<&>") == [{"role": "user", "content": "x<&>"}]

    def test_without_statements_it_is_none(self):
        assert text("{# c #}hi {{n}} {{n|upper}}").format(n="a") == "{# c #}hi a {{n|upper}}"

    @pytest.mark.parametrize(
        "evil",
        [
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "{{ self.__init__.__globals__ }}",
            "{{ cycler.__init__.__globals__.os.popen('id') }}",
            "{{ items.append(1) }}",
            "{{ ('{0.__class__.__mro__}').format(items) }}",
            "{% for i in range(999999999) %}{% endfor %}",
            "{% include '/etc/passwd' %}",
        ],
    )
    def test_is_kept_in_its_box(self, evil):
        items = []
        with pytest.raises(InvalidParameterError, match="cannot be rendered"):
            text("{% if 1 %}x{% endif %}" + evil).format(items=items)
        assert not items

    def test_the_box_can_be_left(self):
        prompt = text("{% if 1 %}{{ ''.__class__.__name__ }}{% endif %}")
        assert prompt.format(use_jinja_sandbox=False) == "str"

    @pytest.mark.parametrize("broken", ["{% if %}", "{% nope %}", "{% if 1 %}", "{% if 1 %}{{ 1/0 }}{% endif %}"])
    def test_what_is_broken_is_said(self, broken):
        with pytest.raises(InvalidParameterError, match="cannot be rendered"):
            text(broken).format()

    def test_without_the_package(self):
        program = textwrap.dedent(
            """
            import sys
            sys.modules["jinja2"] = None
            from otflow.entities.model_registry import PromptVersion
            assert PromptVersion("p", 1, "{{a}}").format(a=1) == "1"
            try:
                PromptVersion("p", 1, "{% if a %}{% endif %}").format(a=1)
            except Exception as error:
                print(error.error_code, error)
            """
        )
        found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        assert found.stdout.startswith("NOT_IMPLEMENTED")
        assert "pip install 'otflow[jinja]'" in found.stdout


class TestWhatIsAllowed:
    @pytest.mark.parametrize("template", [None, 5, b"x", {}, {"role": "user", "content": "x"}])
    def test_types_of_templates(self, template):
        with pytest.raises(TypeError, match="must be a string or a list of chat messages") as raised:
            text(template)
        assert isinstance(raised.value, OtflowError)

    @pytest.mark.parametrize(
        "template", [[], ["x"], [{"role": "user"}], [{"content": "x"}], [{"role": None, "content": "x"}], [{"x": 1}]]
    )
    def test_messages(self, template):
        with pytest.raises(InvalidParameterError, match="list of dicts with role and content"):
            text(template)

    def test_messages_are_json(self):
        with pytest.raises(InvalidParameterError, match="must be JSON"):
            text([{"role": "user", "content": "x", "more": object()}])

    def test_versions_are_numbers(self):
        assert PromptVersion("p", "3", "x").version == 3  # type: ignore[arg-type]
        with pytest.raises(InvalidParameterError, match="'x'"):
            PromptVersion("p", "x", "x")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"temperature": -4}, "temperature: .*got -4"),
            ({"top_p": 1.5}, "top_p"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"model_name": 5}, "model_name"),
            ({"extra_params": 5, "k": 1}, "extra_params"),
            (5, "PromptModelConfig or a dict, got int"),
        ],
    )
    def test_model_configs(self, config, message):
        with pytest.raises(InvalidParameterError, match=message):
            PromptVersion("p", 1, "x", model_config=config)

    def test_response_formats(self):
        with pytest.raises(TypeError, match="pydantic class or a JSON schema"):
            PromptVersion("p", 1, "x", response_format=5)  # type: ignore[arg-type]


class Answer(pydantic.BaseModel):
    a: int
    b: str = "x"


class TestFields:
    def test_what_it_is(self):
        prompt = PromptVersion("n", 1, "Hi")
        assert dict(prompt) == {
            "aliases": [],
            "commit_message": None,
            "creation_timestamp": 0,
            "description": None,
            "is_text_prompt": True,
            "last_updated_timestamp": None,
            "model_config": None,
            "name": "n",
            "response_format": None,
            "tags": {},
            "template": "Hi",
            "uri": "prompts:/n/1",
            "user_id": None,
            "variables": set(),
            "version": 1,
        }
        assert PromptVersion.from_dictionary(dict(prompt)) == prompt
        assert pickle.loads(pickle.dumps(prompt)) == prompt
        assert prompt != PromptVersion("n", 2, "Hi")

    def test_what_can_be_set(self):
        prompt = PromptVersion("n", 1, "x", commit_message="c")
        prompt.description = "d"
        prompt.aliases = ["best"]
        prompt.name = "m"
        prompt.last_updated_timestamp = 5
        assert (prompt.commit_message, prompt.description, prompt.uri) == ("d", "d", "prompts:/m/1")
        for name in ("version", "tags", "template", "uri", "variables", "user_id", "commit_message"):
            with pytest.raises(AttributeError):
                setattr(prompt, name, None)

    def test_response_format_as_schema(self):
        prompt = PromptVersion("n", 1, "x", response_format=Answer)
        assert prompt.response_format == Answer.model_json_schema()
        assert PromptVersion.convert_response_format_to_dict({"type": "object"}) == {"type": "object"}

    def test_text_form(self):
        assert repr(text("Hi {{ name }} and {{x}}{{ x }} more")) == (
            "PromptVersion(name=greeting, version=1, template=Hi {{ name }} and {{x}}{{ x }}...)"
        )


class TestDiff:
    def test_of_texts(self):
        one = PromptVersion("p", 1, "You help.\nBe brief.", model_config={"temperature": 0.1})
        two = PromptVersion("p", 2, "You help.\nBe kind.", model_config={"temperature": 0.2})
        assert one.diff(two, context=0).splitlines() == [
            "--- prompts:/p/1",
            "+++ prompts:/p/2",
            "@@ -2 +2 @@",
            "-Be brief.",
            "+Be kind.",
            "@@ -5 +5 @@",
            '-  "temperature": 0.1',
            '+  "temperature": 0.2',
        ]
        assert one.diff(one) == ""

    def test_of_chat(self):
        one = PromptVersion("p", 1, [{"role": "user", "content": "Hi"}])
        two = PromptVersion("p", 2, [{"role": "system", "content": [{"text": "é"}], "name": "n"}])
        assert "-[user]" in one.diff(two)
        assert '+    "text": "é"' in one.diff(two)
        assert '+  "name": "n"' in one.diff(two)
