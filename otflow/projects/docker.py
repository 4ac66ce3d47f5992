"""Projects in containers: the argument lists of the docker command, and what is read from its answers."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from otflow.errors import ExecutionError, InvalidParameterError
from otflow.projects import processes
from otflow.projects.project import DockerEnvironment

__all__ = ["CODE_DIRECTORY", "Docker", "build_context", "checked_args", "image_name", "run_words"]

CODE_DIRECTORY: Final = "/mlflow/projects/code/"
"""Where an image that was built for a project has it; MLflow's."""

_OPTION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*").fullmatch
_HUB: Final = "https://index.docker.io/v1/"
_AUTH: Final = frozenset({"username", "password", "registry", "email", "reauth", "dockercfg_path"})


def checked_args(docker_args: object) -> tuple[str, ...]:
    """The options of `docker run` that `run` was given, each one word or a letter and its value.

    Raises:
        InvalidParameterError: they are no dictionary, or a name is no option.
    """
    if docker_args is None:
        return ()
    if not isinstance(docker_args, Mapping):
        raise InvalidParameterError(f"docker_args is a dictionary of options and values, not {docker_args!r}")
    words: list[str] = []
    for key, value in cast("Mapping[Any, Any]", docker_args).items():
        if not isinstance(key, str) or _OPTION(key) is None:
            raise InvalidParameterError(f"docker_args names the option {key!r}; options are letters, digits and '-'")
        for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
            if "\0" in str(item):
                raise InvalidParameterError(f"docker_args has a NUL character in the value of {key!r}")
            option = f"-{key}" if len(key) == 1 else f"--{key}"
            if item is True:
                words.append(option)
            elif item is not False:
                # In one word, so that no value is taken for an option.
                words.append(f"{option}{item}" if len(key) == 1 else f"{option}={item}")
    return tuple(words)


def run_words(
    environment: DockerEnvironment,
    image: str,
    command: Iterable[str],
    *,
    name: str,
    options: Iterable[str] = (),
    variables: Iterable[str] = (),
    mounts: Iterable[str] = (),
) -> tuple[str, ...]:
    """The words behind `docker` that run a command in an image.

    Args:
        environment: What the project asks for.
        image: The image.
        command: What is run in it.
        name: What the container is called.
        options: Further options of `docker run`.
        variables: Names of variables that the container takes from the docker command: no value is seen by others.
        mounts: Directories that are in the same place there as here.
    """
    words = ["run", "--rm", f"--name={name}", *options]
    words += [f"--volume={volume}" for volume in environment.volumes]
    words += [f"--mount=type=bind,source={place},target={place}" for place in mounts]
    words += [f"--env={key}" for key in variables]
    words += [f"--env={key}" if value is None else f"--env={key}={value}" for key, value in environment.environment]
    return (*words, image, *command)


def image_name(project: str, commit: str, repository: str | None = None) -> str:
    """What the image of a project is called: the repository's name, else the project's, with the commit.

    Source: the grammar of image references, OCI Distribution Specification, "Pulling manifests".
    """
    name = repository or re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-") or "docker-project"
    return f"{name}:{commit[:7]}" if commit else name


def build_context(image: str) -> str:
    """The Dockerfile that puts a project, which is beside it in `project`, into an image of its own."""
    return f"FROM {image}\nCOPY project/ {CODE_DIRECTORY}\nWORKDIR {CODE_DIRECTORY}\n"


@dataclass(frozen=True)
class Docker:
    """The docker command.

    Attributes:
        program: Where it is.
        auth: How to log in to a registry, as `docker_auth` says.
    """

    program: str
    auth: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @classmethod
    def find(cls, auth: object = None) -> Docker:
        """The docker command, which answers.

        Raises:
            InvalidParameterError: `docker_auth` is not right.
            ExecutionError: it is not installed, or its daemon does not answer.
        """
        checked = _checked_auth(auth)
        program = shutil.which("docker")
        if program is None:
            raise ExecutionError("the project runs in an image (docker_env), for which docker is not installed")
        found = cls(program, checked)
        done = found.call("info", "--format", "{{.ServerVersion}}", fails=True)
        if done.returncode:
            raise ExecutionError(f"docker is installed, and its daemon does not answer: {_said(done)}")
        return found

    def call(self, *words: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        """Run it with these words.

        Raises:
            ExecutionError: it has failed, unless it may.
        """
        try:
            done = subprocess.run(  # noqa: S603
                [self.program, *words],
                env=processes.project_environment({}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise ExecutionError(f"docker cannot be run: {error}") from error
        if done.returncode and not fails:
            raise ExecutionError(f"docker {words[0]} failed: {_said(done)}")
        return done

    def image_id(self, image: str) -> str:
        """The id of an image; empty where docker does not have it."""
        return self.call("image", "inspect", "--format={{.Id}}", image, fails=True).stdout.strip()

    def pull(self, image: str) -> None:
        """Get an image that docker does not have yet, logged in if need be."""
        if not self.image_id(image):
            self._logged_in("pull", "--quiet", image)

    def build(self, environment: DockerEnvironment, directory: str, image: str) -> str:
        """Build the image of a project upon that of its environment; returns its id."""
        with tempfile.TemporaryDirectory() as place:
            shutil.copytree(
                directory, os.path.join(place, "project"), symlinks=True, ignore=shutil.ignore_patterns(".git")
            )
            with open(os.path.join(place, "Dockerfile"), "w", encoding="utf-8") as file:
                file.write(build_context(environment.image))
            self._logged_in("build", "--quiet", f"--tag={image}", place)
        return self.image_id(image)

    def push(self, image: str) -> str:
        """Push an image; returns it with its digest."""
        self._logged_in("push", "--quiet", image)
        done = self.call("image", "inspect", "--format={{json .RepoDigests}}", image)
        name = image.rpartition(":")[0] if ":" in image.rpartition("/")[2] else image
        digests: list[str] = json.loads(done.stdout or "null") or []
        return next((digest for digest in digests if digest.startswith(f"{name}@")), image)

    def remove(self, container: str) -> None:
        """End a container, if it is there."""
        self.call("rm", "--force", container, fails=True)

    def _logged_in(self, *words: str) -> None:
        """Run it with the login in a configuration of its own, which is deleted."""
        if not self.auth:
            self.call(*words)
            return
        with tempfile.TemporaryDirectory() as place:
            known = self.auth.get("dockercfg_path") or os.path.join(processes.docker_directory(), "config.json")
            configuration = with_login(_read_json(str(known)), self.auth)
            handle = os.open(os.path.join(place, "config.json"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(configuration, file)
            for name in ("contexts", "cli-plugins"):
                beside = os.path.join(processes.docker_directory(), name)
                if os.path.isdir(beside):
                    os.symlink(beside, os.path.join(place, name))
            self.call("--config", place, *words)


def with_login(configuration: Mapping[str, Any], auth: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of docker with a login to a registry, in place of whatever keeps others.

    Source: `docker login` reference, "Credential stores": a store goes before what the file says.
    """
    found = {key: value for key, value in configuration.items() if key not in ("credsStore", "credHelpers")}
    if not auth.get("username"):
        return dict(configuration)
    registry = str(auth.get("registry") or _HUB)
    login = base64.b64encode(f"{auth['username']}:{auth.get('password', '')}".encode()).decode()
    return {**found, "auths": {**found.get("auths", {}), registry: {"auth": login}}}


def _checked_auth(auth: object) -> dict[str, Any]:
    if auth is None:
        return {}
    if not isinstance(auth, Mapping):
        raise InvalidParameterError(f"docker_auth is a dictionary, not a {type(auth).__name__}")
    found = dict(cast("Mapping[str, Any]", auth))
    unknown = [key for key in found if key not in _AUTH]
    if unknown:
        raise InvalidParameterError(
            f"docker_auth has {', '.join(sorted(_AUTH))}, and not {', '.join(map(repr, unknown))}"
        )
    return found


def _read_json(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _said(done: subprocess.CompletedProcess[str]) -> str:
    text = " ".join((done.stderr.strip() or done.stdout.strip()).split())
    return text[-1000:] or f"it ended with {done.returncode}"
