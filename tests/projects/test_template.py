"""Commands with places for parameters: what the shell makes of them, whatever the values are."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otflow.errors import ExecutionError
from otflow.projects.template import CommandTemplate

HOSTILE = [
    "plain",
    "",
    " ",
    "two words",
    "it's",
    'say "hi"',
    "$(touch owned)",
    "`touch owned`",
    "; touch owned",
    "&& touch owned",
    "| touch owned",
    "> owned",
    "\ntouch owned\n",
    "'; touch owned; '",
    '"; touch owned; "',
    "'$(touch owned)'",
    "${HOME}",
    "$HOME",
    "\\",
    "\\'",
    '\\"',
    "-rf",
    "--help",
    "*",
    "~",
    "# no",
    "!!",
    "{first}",
    "{{first}}",
    "a[$(touch owned)]",
    "é 🐎 \u202e",
    "\t\r\x1b[31m",
    "x" * 20_000,
]
# No NUL, which no argument can hold, and nothing that UTF-8 has no bytes for.
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    HOSTILE
)
ARGV = f"{shlex.quote(sys.executable)} -c 'import json, sys; print(json.dumps(sys.argv[1:]))'"


def words_of(template: str, values: dict[str, str], more: dict[str, str] | None = None, cwd=None) -> list[str]:
    """The arguments that a program is given by a template in the place of `ARGV`."""
    command = CommandTemplate.parse(template.replace("ARGV", ARGV)).fill(values, more or {}, "bash")
    done = subprocess.run(command.words, capture_output=True, text=True, check=False, cwd=cwd, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("place", "arrives"),
    [
        ("{x}", lambda value: value),
        ('"$(printf %s {x})"', lambda value: value.rstrip("\n")),  # which `$(…)` takes away
        ('"{x}"', shlex.quote),
        ("'{x}'", shlex.quote),
        ('"a\\"{x}b\'"', lambda value: f"a\"{shlex.quote(value)}b'"),
    ],
)
def test_a_value_arrives_as_it_is_and_does_nothing(place, arrives, tmp_path):
    values = {f"p{number}": value for number, value in enumerate(HOSTILE)}
    template = " ".join(["ARGV", *(place.replace("x", name) for name in values)])
    assert words_of(template, values, cwd=tmp_path) == [arrives(value) for value in HOSTILE]
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=20)
@given(st.lists(VALUES, min_size=1, max_size=8))
def test_any_values_arrive_as_they_are(values):
    names = [f"p{number}" for number in range(len(values))]
    template = "ARGV " + " ".join(f"{{{name}}}" for name in names)
    more = {f"more-{name}": value for name, value in zip(names, values, strict=True)}
    added = [word for name, value in more.items() for word in (f"--{name}", value)]
    assert words_of(template, dict(zip(names, values, strict=True)), more) == [*values, *added]


def test_in_quotes_a_value_survives_a_second_shell(tmp_path):
    values = {f"p{number}": value for number, value in enumerate(HOSTILE)}
    inner = ARGV.replace("'", "'\"'\"'")
    template = f"bash -c '{inner} {' '.join(f'{{{name}}}' for name in values)}'"
    assert words_of(template, values, cwd=tmp_path) == HOSTILE
    assert words_of(f'bash -c "true {{p6}}"; {ARGV} done', values, cwd=tmp_path) == ["done"]
    assert list(tmp_path.iterdir()) == []


@given(st.text("ab$`\\\"'(){}[]#<> \n;&|{x}", max_size=25), VALUES)
def test_no_command_makes_a_value_part_of_what_the_shell_reads(text, value):
    marker = f"value-of-x-{value}"
    try:
        command = CommandTemplate.parse(f"{text}{{x}}").fill({"x": marker}, {}, "bash")
    except ExecutionError:
        return
    script = command.words[2]
    assert marker not in script
    assert command.words[4:] in (
        (marker,),
        (shlex.quote(marker),),
        (marker, shlex.quote(marker)),
        (shlex.quote(marker), marker),
    )


def test_what_is_shown_means_the_same():
    command = CommandTemplate.parse('echo {x} "{x}"').fill({"x": "a 'b' $c"}, {"more": "d e"}, "bash")
    shown = subprocess.run(["bash", "-c", command.text], capture_output=True, text=True, check=True, timeout=60).stdout
    done = subprocess.run(command.words, capture_output=True, text=True, check=True, timeout=60).stdout
    assert shown == done


def test_a_command_without_places_is_left_as_it_is():
    command = CommandTemplate.parse("echo ${{HOME}} {{}}\n").fill({}, {}, "bash")
    assert command.words == ("bash", "-c", "echo ${HOME} {}")


def test_arguments_of_the_shell_are_those_of_no_one():
    assert words_of('ARGV {x} "$#" "$@"', {"x": "1"}) == ["1", "0"]


def test_a_function_of_the_command_may_have_a_place():
    assert words_of('show() {{ ARGV {x} "$1"; }}; show inner', {"x": "a b"}) == ["a b", "inner"]


def test_more_parameters_than_single_digits():
    names = [f"n{number}" for number in range(12)]
    assert words_of("ARGV " + " ".join(f"{{{name}}}" for name in names), {name: name for name in names}) == names


@pytest.mark.parametrize(
    ("template", "where"),
    [
        ("echo # {x}", "a comment"),
        ("cat <<END\n{x}\nEND", "here-document"),
        ("cat <<END\nEND\necho {x}", "here-document"),
        ("echo `echo {x}`", "backticks"),
        ("echo ${{a:-{x}}}", "${…}"),
        ('echo "${{a:-{x}}}"', "${…}"),
        ("echo $(( {x} + 1 ))", "arithmetic"),
        ('echo "$(( ($(echo {x})) ))"', "arithmetic"),
        ("echo $[ a[1] + {x} ]", "arithmetic"),
        ("(( {x} > 1 )) && echo", "arithmetic"),
        ("[[ {x} -eq 1 ]] && echo", "[[ … ]]"),
        ("echo $'{x}'", "$'…'"),
        ("echo \\{x}", "backslash"),
        ('echo "\\{x}"', "backslash"),
    ],
)
def test_where_no_value_is_safe_there_is_no_place(template, where):
    with pytest.raises(ExecutionError, match="no value is safe") as caught:
        CommandTemplate.parse(template)
    assert where in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "echo a#b {x}",
        "cat <<< {x}",
        "echo $((1 + 2)) {x}",
        "[[ a == a ]] && echo {x}",
        "echo '#' {x}",
        'echo "it\'s" {x}',
        "(echo {x})",
        "case a in a) echo {x};; esac",
        "echo 1 # what it does\necho {x}",
        "[ {x} -eq 1 ]",
    ],
)
def test_these_are_places(template):
    assert CommandTemplate.parse(template).names == ["x"]


@pytest.mark.parametrize("template", ["echo {", "echo }", "echo {}", "echo ${{HOME}", "{a{b}"])
def test_a_brace_that_belongs_to_nothing_is_refused(template):
    with pytest.raises(ExecutionError, match="brace"):
        CommandTemplate.parse(template)


def test_a_place_without_a_parameter_is_named():
    with pytest.raises(ExecutionError, match=r"'HOME'.*written twice"):
        CommandTemplate.parse("echo ${HOME}").fill({}, {}, "bash")


@pytest.mark.parametrize("template", ["echo # why", "echo 'open", 'echo "open', "cat <<END\na\nEND", "echo $(a"])
def test_to_an_end_that_is_inside_of_something_nothing_is_added(template):
    parsed = CommandTemplate.parse(template)
    parsed.fill({}, {}, "bash")
    with pytest.raises(ExecutionError, match="'more' cannot be added"):
        parsed.fill({}, {"more": "x"}, "bash")


def test_no_command_holds_nul():
    with pytest.raises(ExecutionError, match="NUL"):
        CommandTemplate.parse("echo \0")
