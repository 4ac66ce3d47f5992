"""The environment that a model needs, packed beside the model's files.

`_env/model_environment.tar.gz` holds a virtual environment: unpack it with `tar`, anywhere, and run its `bin/python`.
That is a link to the Python which it was made with: where it is unpacked, there has to be one of the same version at
the same place, or the link is to be set anew. Its programs find it wherever it is. There are no scripts `activate`.

`_env/env_pack.json` says what it is: Python and platform, the packages with their versions, the SHA-256 of the archive.

The released MLflow packs for Databricks alone, from inside of it, and installs into the environment that it runs in.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from otflow import config
from otflow.errors import InvalidParameterError, MissingFileError, OtflowError
from otflow.store.opening import without_secrets
from otflow.tracking.archives import pack_directory, relocate_scripts

__all__ = ["ARCHIVE", "DESCRIPTION", "EnvPackConfig", "checked_env_pack", "pack_environment"]

ARCHIVE: Final = "_env/model_environment.tar.gz"
DESCRIPTION: Final = "_env/env_pack.json"

_NAME: Final = "databricks_model_serving"
_TIMEOUT_S: Final = 3600.0
_PYTHON: Final = re.compile(r"""^python:\s*['"]?(\d+\.\d+)(?:\.\d+)*['"]?\s*$""", re.MULTILINE)
_ABOUT: Final = """
import importlib.metadata, json, platform, sysconfig
packages = {(found.metadata["Name"], found.version) for found in importlib.metadata.distributions()}
about = {
    "python": platform.python_version(),
    "implementation": platform.python_implementation(),
    "platform": sysconfig.get_platform(),
    "packages": sorted((f"{name}=={version}" for name, version in packages), key=str.lower),
}
print(json.dumps(about))
"""
_NOT_INHERITED: Final = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX")
_LINES_SHOWN: Final = 8


@dataclass(kw_only=True)
class EnvPackConfig:
    """How the environment of a model is packed.

    Args:
        name: What for; `"databricks_model_serving"` is the only one there is, and an environment packed for it will do
            anywhere else.
        install_dependencies: Whether what `requirements.txt` names is installed; without it there is Python alone.
    """

    name: Literal["databricks_model_serving"]
    install_dependencies: bool = True


def checked_env_pack(env_pack: Any) -> EnvPackConfig | None:
    """What the argument `env_pack` of `otflow.register_model` stands for.

    Args:
        env_pack: A config, the string `"databricks_model_serving"` for one with all defaults, or None.

    Raises:
        InvalidParameterError: It is something else.
    """
    if env_pack is None:
        return None
    if env_pack == _NAME:
        return EnvPackConfig(name=_NAME)
    if isinstance(env_pack, str):
        raise InvalidParameterError(f"Invalid env_pack value: {env_pack!r}. Expected: {_NAME!r}.")
    if (
        not isinstance(env_pack, EnvPackConfig)
        or env_pack.name != _NAME
        or not isinstance(env_pack.install_dependencies, bool)  # pyright: ignore[reportUnnecessaryIsInstance]
    ):
        raise InvalidParameterError(
            f"env_pack must be None, the string {_NAME!r}, or an EnvPackConfig of that name with a boolean"
            f" 'install_dependencies', not {env_pack!r}"
        )
    return env_pack


def pack_environment(model_dir: Path, config: EnvPackConfig, target: Path | None = None) -> list[Path]:
    """Make the environment of a model, and pack it.

    It is made apart from the one that this program runs in, by uv where that is installed, else by `venv` and pip; of
    the Python version that `python_env.yaml` names (one of another minor version than this program's needs uv), with
    what `requirements.txt` names, paths in it being relative to `model_dir`. Where either is not there, with this
    program's Python, and with nothing. Packing the same environment twice gives the same bytes.

    Args:
        model_dir: The directory with the model's files.
        config: What to do.
        target: Where the files are put, below `_env`; `model_dir` by default.

    Returns:
        The files, `ARCHIVE` and `DESCRIPTION`.

    Raises:
        InvalidParameterError: The config is none.
        MissingFileError: There is no such directory.
        OtflowError: The environment cannot be made; nothing is left then.
    """
    chosen = checked_env_pack(config)
    if chosen is None:
        raise InvalidParameterError("a config is needed to pack an environment, not None")
    model_dir = Path(model_dir).absolute()
    if not model_dir.is_dir():
        raise MissingFileError(f"there is no directory {str(model_dir)!r}, the environment of which could be packed")
    target = model_dir if target is None else Path(target).absolute()
    with tempfile.TemporaryDirectory(prefix="otflow-env-") as work:
        environment = _Environment(Path(work) / "environment", model_dir)
        environment.make(_python_of(model_dir))
        requirements = model_dir / "requirements.txt"
        installs = chosen.install_dependencies and requirements.is_file()
        if installs:
            environment.install(requirements)
        about = {
            "format": 1,
            "name": chosen.name,
            "requirements_installed": installs,
            "tool": environment.tool,
            **json.loads(environment.run("describe", environment.python, "-I", "-c", _ABOUT)),
        }
        environment.forget_place()
        archive, description = Path(work) / "archive", Path(work) / "description"
        pack_directory(environment.place, archive)
        about |= {"archive": os.path.basename(ARCHIVE), "bytes": archive.stat().st_size, "sha256": _sha256(archive)}
        description.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return _moved({archive: target / ARCHIVE, description: target / DESCRIPTION})


class _Environment:
    """A virtual environment in the making.

    Args:
        place: Where it is made.
        model_dir: Where commands run.
    """

    def __init__(self, place: Path, model_dir: Path) -> None:
        self.place = place
        self._model_dir = model_dir
        self._uv = shutil.which("uv") or shutil.which("uv", path=sysconfig.get_path("scripts"))
        self.tool = "uv" if self._uv is not None else "venv and pip"
        self.python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def make(self, version: str | None) -> None:
        """Make it empty, of this Python where no other version is asked for."""
        ours = f"{sys.version_info.major}.{sys.version_info.minor}"
        if self._uv is not None:
            python = sys.executable if version in (None, ours) else str(version)
            self.run("make", self._uv, "venv", "--quiet", "--relocatable", "--python", python, self.place)
        elif version in (None, ours):
            self.run("make", sys.executable, "-I", "-m", "venv", "--without-pip", self.place)
        else:
            raise OtflowError(f"The model needs Python {version}, this is {ours}: install uv to pack its environment")

    def install(self, requirements: Path) -> None:
        """Install what a file of requirements names."""
        if self._uv is not None:
            command = (self._uv, "pip", "install", "--quiet", "--python", self.python)
        else:
            quiet = ("--quiet", "--no-input", "--no-compile", "--disable-pip-version-check")
            command = (sys.executable, *_pip(), "--python", self.python, "install", *quiet)
        self.run("install the requirements of", *command, "-r", requirements)

    def forget_place(self) -> None:
        """Take away what says where it was made, so that it works, and looks the same, elsewhere."""
        relocate_scripts(self.place, self.python)
        for path in self.python.parent.iterdir():
            if path.name.lower().startswith(("activate", "deactivate", "pydoc.bat")):
                path.unlink()
        settings = self.place / "pyvenv.cfg"
        lines = settings.read_text(encoding="utf-8").splitlines()
        settings.write_text("".join(f"{line}\n" for line in lines if not line.startswith("command")), encoding="utf-8")

    def run(self, what: str, *command: str | Path) -> str:
        """What a command prints.

        Raises:
            OtflowError: It fails, or takes too long.
        """
        variables = {name: text for name, text in config.environment().items() if name not in _NOT_INHERITED}
        try:
            done = subprocess.run(  # noqa: S603 - a list of arguments, to programs that are found here
                [str(part) for part in command],
                cwd=self._model_dir,
                env=variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OtflowError(f"Failed to {what} the environment of the model: {type(error).__name__}") from None
        if done.returncode != 0:
            lines = without_secrets(done.stderr.decode("utf-8", "replace")).strip().splitlines()
            detail = "\n".join(f"  {line}" for line in lines[-_LINES_SHOWN:])
            raise OtflowError(f"Failed to {what} the environment of the model, by {self.tool}:\n{detail}")
        return done.stdout.decode("utf-8", "replace")


def _pip() -> tuple[str | Path, ...]:
    """How Python runs pip: its own, or the one that it would give to a new environment."""
    if importlib.util.find_spec("pip") is not None:
        return ("-I", "-m", "pip")
    ensurepip = importlib.util.find_spec("ensurepip")
    folder = Path(str(ensurepip.origin)).parent if ensurepip is not None else Path()
    wheels = sorted(folder.glob("_bundled/pip-*.whl"))
    if not wheels:
        raise OtflowError("Packing the environment of a model needs uv or pip; neither is installed")
    return (wheels[-1] / "pip",)


def _python_of(model_dir: Path) -> str | None:
    """The minor version of Python that the model wants; None where it does not say."""
    try:
        found = _PYTHON.search((model_dir / "python_env.yaml").read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OtflowError(f"python_env.yaml cannot be read: {error.strerror}", "IO_ERROR") from None
    return found[1] if found is not None else None


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def _moved(files: dict[Path, Path]) -> list[Path]:
    made: list[Path] = []
    try:
        for source, target in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            made.append(target)
            shutil.move(source, target)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise OtflowError(f"{made[-1:] or files} cannot be written: {error.strerror}", "IO_ERROR") from None
    return made
