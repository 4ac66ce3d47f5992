"""MLproject files, and parameters as they declare them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otflow.errors import ExecutionError
from otflow.projects.parameters import Parameter, resolve
from otflow.projects.project import DockerEnvironment, load_project, within

# A kilobyte that would be ten gigabytes.
BOMB = "b0: &b0 [x]\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 11))
ENTRY = "entry_points: {main: {command: 'true'}}\n"


def load(tmp_path, text: str, **beside: str):
    (tmp_path / "MLproject").write_text(text, encoding="utf-8")
    for name, content in beside.items():
        (tmp_path / name.replace("_yaml", ".yaml")).write_text(content, encoding="utf-8")
    return load_project(str(tmp_path))


def test_what_a_file_says(tmp_path):
    text = """\
    name: 5
    unknown: key
    python_env: env.yaml
    entry_points:
      main:
        parameters:
          a: FLOAT
          b: {type: path, default: data}
          c: {default: true}
          d: {default: null}
          e: {type: whatever, default: 1e-3}
        command: "python {a}"
      7: {command: "true"}
      broken: {command: 5}
    """
    found = load(tmp_path, "\n".join(line[4:] for line in text.splitlines()), env_yaml="")
    assert (found.name, found.python_env) == ("5", str(tmp_path / "env.yaml"))
    point = found.entry_point("main")
    assert point.command is not None
    assert point.command.names == ["a"]
    assert list(point.parameters.values()) == [
        Parameter("a", "float"),
        Parameter("b", "path", "data"),
        Parameter("c", "string", "True"),
        Parameter("d", "string"),
        Parameter("e", "whatever", "1e-3"),
    ]
    assert found.entry_point("7").command is not None
    with pytest.raises(ExecutionError, match="'broken' is to be a text, not 5"):
        found.entry_point("broken")


def test_the_environment_beside_a_file_counts_where_it_names_none(tmp_path):
    assert load(tmp_path, ENTRY).python_env is None
    assert load(tmp_path, ENTRY, conda_yaml="").conda_env == str(tmp_path / "conda.yaml")
    found = load(tmp_path, ENTRY, python_env_yaml="")
    assert (found.python_env, found.conda_env) == (str(tmp_path / "python_env.yaml"), None)
    found = load(tmp_path, f"name: x\ndocker_env: {{image: i}}\n{ENTRY}")
    assert (found.python_env, found.docker) == (None, DockerEnvironment("i"))


def test_what_an_image_is_given(tmp_path):
    found = load(
        tmp_path,
        "name: n\ndocker_env:\n  image: repo/i:1\n  volumes: ['/a:/b']\n  environment: [[A, 1], B, [C]]\n" + ENTRY,
    )
    assert found.docker == DockerEnvironment("repo/i:1", ("/a:/b",), (("A", "1"), ("B", None), ("C", None)))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "keys and values"),
        ("- a\n", "keys and values"),
        ("a: [\n", "cannot be read"),
        ("name: !!python/object/apply:os.system ['touch owned']\n", "cannot be read"),
        ("a: " + "x" * (1 << 20), "longer than"),
        (BOMB, "more than 100,000 values"),
        ("entry_points: [a]\n", "entry_points"),
        ("entry_points: {main: abc}\n", "'main'"),
        ("entry_points: {main: {}}\n", "not None"),
        ("entry_points: {main: {command: ' '}}\n", "is to be a text"),
        ("entry_points: {main: {parameters: [a], command: x}}\n", "parameters"),
        ("entry_points: {main: {parameters: {a: }, command: x}}\n", "'a' is declared by"),
        ("entry_points: {main: {parameters: {a: [1]}, command: x}}\n", "'a' is declared by"),
        ("entry_points: {main: {parameters: {'a;b': string}, command: x}}\n", "Names may only contain"),
        ("python_env: nothing.yaml\n" + ENTRY, "'nothing.yaml', which is not there"),
        ("python_env: ../x.yaml\n" + ENTRY, "inside of"),
        ("conda_env: /etc/passwd\n" + ENTRY, "inside of"),
        ("conda_env: [a]\n" + ENTRY, "name of a file"),
        ("python_env: a\nconda_env: b\n" + ENTRY, "not several: python_env, conda_env"),
        ("docker_env: {image: x}\n" + ENTRY, "has to have a name"),
        ("name: n\ndocker_env: x\n" + ENTRY, "docker_env"),
        ("name: n\ndocker_env: {imag: x}\n" + ENTRY, "name an image"),
        ("name: n\ndocker_env: {image: --privileged}\n" + ENTRY, "name an image"),
        ("name: n\ndocker_env: {image: a b}\n" + ENTRY, "name an image"),
        ("name: n\ndocker_env: {image: x, volumes: 5}\n" + ENTRY, "volumes"),
        ("name: n\ndocker_env: {image: x, environment: {A: b}}\n" + ENTRY, "environment"),
        ("name: n\ndocker_env: {image: x, environment: [[A, B, C]]}\n" + ENTRY, "environment"),
        ("name: n\ndocker_env: {image: x, environment: ['A=B']}\n" + ENTRY, "environment"),
        ("databricks_spark_job: {python_file: x}\n", "Databricks"),
    ],
)
def test_what_is_not_right_is_said(tmp_path, text, match):
    with pytest.raises(ExecutionError, match=match):
        load(tmp_path, text).entry_point("main")
    assert not (tmp_path / "owned").exists()


@settings(max_examples=60)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_content_is_read_or_refused(tmp_path_factory, content):
    directory = tmp_path_factory.mktemp("project")
    (directory / "MLproject").write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)
    try:
        load_project(str(directory)).entry_point("main")
    except ExecutionError:
        return


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["name", "entry_points", "python_env", "conda_env", "docker_env", "main"])


@settings(max_examples=80)
@given(st.dictionaries(KEYS, YAML | st.dictionaries(st.sampled_from(["main", "image", "command", "parameters"]), YAML)))
def test_any_values_are_read_or_refused(tmp_path_factory, content):
    import yaml

    directory = tmp_path_factory.mktemp("project")
    (directory / "MLproject").write_text(yaml.safe_dump(content), encoding="utf-8")
    try:
        load_project(str(directory)).entry_point("main")
    except ExecutionError:
        return


@given(st.lists(st.sampled_from(["..", ".", "a", "b", "", "/", "~"]), max_size=6))
def test_a_path_within_is_within(parts):
    path = "/".join(parts)
    try:
        found = within("/some/root", path, "it")
    except ExecutionError:
        return
    import os

    assert os.path.normpath(found).startswith("/some/root")


def test_values_are_of_their_types(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "there").write_text("")
    declared = {
        name: Parameter(name, kind, default)
        for name, kind, default in (
            ("number", "float", "nan"),
            ("path", "path", "there"),
            ("uri", "uri", "s3://bucket/a"),
            ("text", "string", "$(id)"),
        )
    }
    values = resolve(declared, {"more": "x"}, str(inner))
    assert values.declared == {"number": "nan", "path": str(inner / "there"), "uri": "s3://bucket/a", "text": "$(id)"}
    assert values.more == {"more": "x"}
    assert values.given == {"number": "nan", "path": "there", "uri": "s3://bucket/a", "text": "$(id)", "more": "x"}
    assert values.remote == ()
    assert resolve(declared, {"path": "here"}, str(inner)).declared["path"] == str(tmp_path / "here")
    assert resolve(declared, {"path": "s3://bucket/b"}, str(inner)).remote == ("path",)
    for given_, match in (
        ({"number": "1,5"}, "'number' is to be a number, not '1,5'"),
        ({"path": "there"}, "no such file"),
        ({"path": "file:///nowhere"}, "no such file"),
        ({"uri": "here"}, "no scheme"),
        ({"uri": "/here"}, "no scheme"),
    ):
        with pytest.raises(ExecutionError, match=match):
            resolve(declared, given_, str(inner))
