"""Environments of projects, each made once: a directory by the hash of its definition.

A lock, which ends with the process that has it, keeps two processes from making the same one. What is made is
marked when it is whole; what is not marked, or does not run, is made anew.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otflow import config
from otflow.errors import ExecutionError
from otflow.projects import processes
from otflow.projects.environment import Definition, requirements

__all__ = ["Installed", "activation_of_conda", "check_manager", "install"]

_logger = logging.getLogger("otflow")

_MARK: Final = "otflow-environment.json"
_PROGRAMS: Final = "Scripts" if os.name == "nt" else "bin"
_PYTHON: Final = "python.exe" if os.name == "nt" else "python"


@dataclass(frozen=True)
class Installed:
    """An environment that is there.

    Attributes:
        directory: Where it is.
        manager: What has made it.
    """

    directory: str
    manager: str

    @property
    def programs(self) -> str:
        """The directory of its programs."""
        if self.manager == "conda" and os.name == "nt":
            return self.directory
        return os.path.join(self.directory, _PROGRAMS)

    @property
    def python(self) -> str:
        """Its Python."""
        return os.path.join(self.programs, _PYTHON)

    @property
    def variables(self) -> dict[str, str]:
        """What a process in it finds in its environment, beside the path."""
        if self.manager == "conda":
            return {"CONDA_PREFIX": self.directory, "CONDA_DEFAULT_ENV": self.directory}
        return {"VIRTUAL_ENV": self.directory}


def check_manager(definition: Definition) -> None:
    """Look whether there is what makes an environment.

    Raises:
        ExecutionError: there is not.
    """
    if definition.manager == "uv":
        _uv()
    elif definition.manager == "conda":
        _conda()


def install(definition: Definition, directory: str) -> Installed:
    """The environment of a definition, made if it is not there.

    Args:
        definition: What it is.
        directory: The project's directory, which files of requirements are in.

    Raises:
        ExecutionError: it cannot be made.
    """
    root = processes.environments_directory()
    os.makedirs(root, exist_ok=True)
    place = os.path.join(os.path.abspath(root), f"otflow-{definition.digest}")
    found = Installed(place, definition.manager)
    if _is_whole(found):
        return found
    with _locked(f"{place}.lock"):
        if _is_whole(found):  # another process has made it meanwhile
            return found
        shutil.rmtree(place, ignore_errors=True)
        _logger.info("=== Making the environment %s with %s ===", place, definition.manager)
        try:
            _make(definition, found, directory)
            _mark(found, definition)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
    return found


def _is_whole(found: Installed) -> bool:
    if not os.path.isfile(os.path.join(found.directory, _MARK)) or not os.path.isfile(found.python):
        return False
    try:
        return subprocess.run([found.python, "-c", ""], capture_output=True, timeout=60, check=False).returncode == 0  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False


def _mark(made: Installed, definition: Definition) -> None:
    handle, path = tempfile.mkstemp(dir=made.directory)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"manager": definition.manager, "python": definition.python, "packages": definition.packages}, file)
    os.replace(path, os.path.join(made.directory, _MARK))


@contextlib.contextmanager
def _locked(path: str) -> Generator[None]:
    with open(path, "a+b") as file:
        if os.name == "nt":
            import msvcrt

            locking: Any = msvcrt
            file.seek(0)
            while True:
                with contextlib.suppress(OSError):  # after ten seconds
                    locking.locking(file.fileno(), locking.LK_LOCK, 1)
                    break
            try:
                yield
            finally:
                file.seek(0)
                locking.locking(file.fileno(), locking.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _make(definition: Definition, made: Installed, directory: str) -> None:
    if definition.manager == "conda":
        _make_with_conda(definition, made, directory)
        return
    if definition.manager == "uv":
        uv = _uv()
        python = definition.python or f"{sys.version_info.major}.{sys.version_info.minor}"
        _do([uv, "venv", "--quiet", "--python", python, made.directory], directory)
        installer = [uv, "pip", "install", "--quiet", "--python", made.python]
    else:
        _do([*_virtualenv(_interpreter(definition.python)), made.directory], directory)
        installer = [made.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for lines in (definition.build, definition.packages):
        _install(installer, lines, directory)


def _install(installer: Sequence[str], lines: Iterable[str], directory: str) -> None:
    text = requirements(lines, directory)
    if not text:
        return
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "requirements.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        _do([*installer, "-r", path], directory)


def _make_with_conda(definition: Definition, made: Installed, directory: str) -> None:
    _conda()
    create = config.CONDA_CREATE_ENV_CMD.get()
    program = _in_conda(create) or shutil.which(create)
    if program is None:
        raise ExecutionError(f"conda environments are made with {create!r}, which is not installed")
    if definition.conda_file is None:
        _do([program, "create", "--yes", "--quiet", "--prefix", made.directory, "python"], directory)
    else:
        words = ["env", "create", "--quiet", "--prefix", made.directory, "--file", definition.conda_file]
        _do([program, *words], directory)


def _do(words: Sequence[str], directory: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            words,
            cwd=directory,
            env=processes.project_environment({}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ExecutionError(f"the environment of the project cannot be made: {error}") from error
    if done.returncode:
        said = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-15:])
        raise ExecutionError(
            f"the environment of the project cannot be made: {os.path.basename(words[0])} ended with"
            f" {done.returncode}:\n{said}"
        )


# -- the programs --------------------------------------------------------------------------------------


def _uv() -> str:
    beside = os.path.join(os.path.dirname(sys.executable), "uv.exe" if os.name == "nt" else "uv")
    found = beside if os.path.isfile(beside) else shutil.which("uv")
    if found is None:
        raise ExecutionError("env_manager='uv' needs uv, which is not installed; install it with: pip install uv")
    return found


def _conda() -> str:
    found = _in_conda("conda") or (shutil.which("conda") if config.CONDA_HOME.get() is None else None)
    if found is None:
        raise ExecutionError(
            "Could not find conda, which the environment of the project needs; install it, say by"
            f" {config.CONDA_HOME.variables[0]} where it is, or choose env_manager='virtualenv', 'uv' or 'local'"
        )
    return found


def _in_conda(program: str) -> str | None:
    home = config.CONDA_HOME.get()
    if home is None or os.path.basename(program) != program:
        return None
    return shutil.which(
        program, path=os.pathsep.join(os.path.join(home, name) for name in ("bin", "condabin", "Scripts"))
    )


def activation_of_conda() -> str | None:
    """The script that activates environments of conda, for a shell; None where there is none."""
    conda = os.path.realpath(_conda())
    root = os.path.dirname(os.path.dirname(conda))
    script = os.path.join(root, "bin", "activate")
    return script if os.path.isfile(script) else None


def _virtualenv(python: str) -> list[str]:
    """What makes a virtual environment of a Python: its own `venv`; else the package virtualenv of ours."""
    test = [python, "-c", "import venv, ensurepip"]
    if subprocess.run(test, capture_output=True, check=False).returncode == 0:  # noqa: S603
        return [python, "-m", "venv"]
    if importlib.util.find_spec("virtualenv") is not None:
        return [sys.executable, "-m", "virtualenv", "--quiet", "--python", python]
    raise ExecutionError(
        f"{python} cannot make virtual environments: its modules venv and ensurepip are not installed; install them, or"
        " the package virtualenv with: pip install 'otflow[projects]'"
    )


def _interpreter(version: str | None) -> str:
    """A Python of a version: this one, one on the path, or one of pyenv's, which is installed if need be."""
    if version is None or _fits(".".join(map(str, sys.version_info[:3])), version):
        return sys.executable
    short = ".".join(version.split(".")[:2])
    for name in (f"python{short}", f"python{short.partition('.')[0]}", "python"):
        found = shutil.which(name)
        if found is not None and _fits(_version_of(found), version):
            return found
    return _from_pyenv(version)


def _fits(found: str, wanted: str) -> bool:
    return f"{found}.".startswith(f"{wanted}.")


def _version_of(python: str) -> str:
    code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        command = [python, "-I", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.strip()  # noqa: S603
    return ""


def _from_pyenv(version: str) -> str:
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        raise ExecutionError(
            f"the project needs Python {version}, which is not installed here, and neither is pyenv to install it; or"
            " choose env_manager='uv', which brings it, or 'local'"
        )

    def asked(*words: str) -> str:
        done = subprocess.run([pyenv, *words], capture_output=True, text=True, check=False)  # noqa: S603
        return done.stdout.strip()

    def newest(listed: str) -> str | None:
        found = [line.strip() for line in listed.splitlines() if _fits(line.strip(), version)]
        numbers = [line for line in found if line.replace(".", "").isdecimal()]
        return max(numbers, key=lambda line: [int(part) for part in line.split(".")], default=None)

    chosen = newest(asked("versions", "--bare"))
    if chosen is None:
        chosen = newest(asked("install", "--list"))
        if chosen is None:
            raise ExecutionError(f"the project needs Python {version}, which pyenv does not know")
        _do([pyenv, "install", "--skip-existing", chosen], os.getcwd())
    return os.path.join(asked("root"), "versions", chosen, _PROGRAMS, _PYTHON)
