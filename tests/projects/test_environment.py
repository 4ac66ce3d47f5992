"""What environment a project asks for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otflow.errors import ExecutionError, InvalidParameterError
from otflow.projects.environment import Definition, choose_manager, define, requirements
from otflow.projects.project import DockerEnvironment, Project


def made(tmp_path, *, python_env: str | None = None, conda_env: str | None = None, **files: str) -> Project:
    for name, text in files.items():
        (tmp_path / name.replace("_txt", ".txt")).write_text(text, encoding="utf-8")
    paths: dict[str, str] = {}
    for key, text in (("python_env", python_env), ("conda_env", conda_env)):
        if text is not None:
            (tmp_path / f"{key}.yaml").write_text(text, encoding="utf-8")
            paths[key] = str(tmp_path / f"{key}.yaml")
    return Project(str(tmp_path), **paths)


def test_the_manager_is_chosen_by_what_is_there():
    plain, python, conda = Project("."), Project(".", python_env="a"), Project(".", conda_env="a")
    docker = Project(".", docker=DockerEnvironment("i"))
    assert [choose_manager(project, None) for project in (plain, python, conda, docker)] == [
        "virtualenv",
        "virtualenv",
        "conda",
        "docker",
    ]
    assert [choose_manager(conda, name) for name in ("local", "virtualenv", "uv", "conda")] == [
        "local",
        "virtualenv",
        "uv",
        "conda",
    ]
    assert choose_manager(docker, "local") == "docker"
    with pytest.raises(InvalidParameterError, match="python_env"):
        choose_manager(python, "conda")
    with pytest.raises(InvalidParameterError, match="'pip'"):
        choose_manager(plain, "pip")


def test_a_python_env_says_python_and_packages(tmp_path):
    text = "python: '3.11'\nbuild_dependencies: [pip, wheel==0.4]\ndependencies: [-r requirements.txt, a==1]\n"
    project = made(
        tmp_path, python_env=text, requirements_txt="b\n-c limits.txt\n-r https://a/b.txt\n", limits_txt="c<2\n"
    )
    found = define(project, "virtualenv")
    assert found == Definition(
        "virtualenv",
        "3.11",
        ("pip", "wheel==0.4"),
        ("-r requirements.txt", "a==1"),
        (("limits.txt", "c<2\n"), ("requirements.txt", "b\n-c limits.txt\n-r https://a/b.txt\n")),
    )
    assert requirements(found.packages, "/a b") == "-r '/a b/requirements.txt'\na==1\n"
    assert define(project, "local") is None


def test_a_conda_env_says_what_pip_can_install(tmp_path, caplog):
    text = """\
name: x
channels: [conda-forge]
dependencies:
  - python=3.11.7
  - conda-forge::pip==24
  - setuptools
  - numpy>=1
  - pip: [a==1, b]
"""
    found = define(made(tmp_path, conda_env=text), "virtualenv")
    assert found == Definition("virtualenv", "3.11.7", ("pip==24", "setuptools"), ("a==1", "b"))
    assert "numpy>=1" in caplog.text
    found = define(made(tmp_path, conda_env=text), "conda")
    assert found is not None
    assert (found.manager, found.conda, found.conda_file) == ("conda", text, str(tmp_path / "conda_env.yaml"))
    assert define(Project(str(tmp_path)), "conda") == Definition("conda")
    assert define(Project(str(tmp_path)), "uv") == Definition("uv")


def test_the_digest_is_of_what_makes_a_difference(tmp_path):
    def digest(python_env: str = "python: '3.11'\ndependencies: [a]\n", manager: str = "uv", **files: str) -> str:
        found = define(made(tmp_path, python_env=python_env, **files), manager)
        assert found is not None
        return found.digest

    plain = digest()
    assert plain == digest("dependencies:\n- a\npython: 3.11\nname: ignored")
    with_file = "dependencies: [-r r.txt]"
    digests = {
        plain,
        digest(manager="virtualenv"),
        digest("python: '3.12'\ndependencies: [a]\n"),
        digest("python: '3.11'\ndependencies: [b]\n"),
        digest("python: '3.11'\nbuild_dependencies: [a]\n"),
        digest(with_file, r_txt="a"),
        digest(with_file, r_txt="b"),
        digest("dependencies: [.]"),
    }
    assert len(digests) == 8
    other = tmp_path / "other"
    other.mkdir()
    for own in (
        "dependencies: [.]",
        "dependencies: [-e ./a]",
        "dependencies: ['a @ file:b']",
        "dependencies: [./a.whl]",
    ):
        here, there = (define(made(place, python_env=own), "uv") for place in (tmp_path, other))
        assert here is not None
        assert there is not None
        assert here.digest != there.digest, own


@pytest.mark.parametrize(
    ("python_env", "match"),
    [
        ("[a]", "keys and values"),
        ("python: '>=3.8'", "version such as"),
        ("python: '3.8; touch owned'", "version such as"),
        ("dependencies: a", "list of texts"),
        ("dependencies: [{a: b}]", "list of texts"),
        ('dependencies: ["a\\nb"]', "more than one line"),
        ("dependencies: [-r nothing.txt]", "cannot be read"),
        ("dependencies: [-r ../nothing.txt]", "inside of"),
        ("dependencies: [-r /etc/passwd]", "inside of"),
    ],
)
def test_what_is_not_right_is_said(tmp_path, python_env, match):
    with pytest.raises(ExecutionError, match=match):
        define(made(tmp_path, python_env=python_env), "virtualenv")


@pytest.mark.parametrize(
    ("conda_env", "match"),
    [
        ("dependencies: x", "is a list"),
        ("dependencies: ['python>=3.8']", "need one version"),
        ("dependencies: ['; rm']", "no package"),
        ("dependencies: [{pip: x}]", "list of texts"),
    ],
)
def test_what_is_not_right_for_conda_is_said(tmp_path, conda_env, match):
    with pytest.raises(ExecutionError, match=match):
        define(made(tmp_path, conda_env=conda_env), "virtualenv")


@settings(max_examples=100)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=3))
def test_any_packages_are_lines_or_refused(tmp_path_factory, packages):
    import yaml

    directory = tmp_path_factory.mktemp("project")
    try:
        found = define(made(directory, python_env=yaml.safe_dump({"dependencies": packages})), "uv")
    except ExecutionError:
        return
    assert found is not None
    assert len(requirements(found.packages, "/p").split("\n")) == len(packages) + 1
