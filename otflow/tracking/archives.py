"""Archives of directories that come out the same wherever and whenever they are made."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import stat
import tarfile
from pathlib import Path
from typing import Final

__all__ = ["pack_directory", "relocate_scripts"]

_LEFT_OUT: Final = frozenset({"__pycache__", ".lock"})
"""Compiled code, which holds times, and the lock of uv."""


def pack_directory(directory: Path, archive: Path) -> None:
    """Pack what is in a directory as `.tar.gz`: sorted by name, without times and owners.

    Args:
        directory: The directory; its own name is not in the archive.
        archive: The file to write.
    """
    with (
        archive.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in _sorted_paths(directory):
            status = path.lstat()
            member = tarfile.TarInfo(path.relative_to(directory).as_posix())
            if stat.S_ISLNK(status.st_mode):
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
                tar.addfile(member)
            elif stat.S_ISDIR(status.st_mode):
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
            elif stat.S_ISREG(status.st_mode):
                member.mode, member.size = (0o755 if status.st_mode & 0o100 else 0o644), status.st_size
                with path.open("rb") as content:
                    tar.addfile(member, content)


def _sorted_paths(directory: Path) -> list[Path]:
    found: list[Path] = []
    for folder, names, files in os.walk(directory):
        names[:] = [name for name in names if name not in _LEFT_OUT]
        found += [Path(folder, name) for name in (*names, *files) if name not in _LEFT_OUT]
    return sorted(found, key=lambda path: path.relative_to(directory).parts)


def relocate_scripts(environment: Path, python: Path) -> None:
    """Let the scripts of a virtual environment run the Python beside them, wherever that is.

    Args:
        environment: The environment.
        python: The path that their first lines name; others are left alone.
    """
    fixed = f"#!{python}".encode()
    # A first line cannot name what is beside the script: the shell finds it, and Python reads the same lines as a text.
    found = b"#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''"
    changed: dict[str, str] = {}
    for path in python.parent.iterdir():
        if path.is_symlink() or not path.is_file():
            continue
        first, newline, rest = path.read_bytes().partition(b"\n")
        if newline and first.startswith(fixed) and first[len(fixed) :].strip(b"0123456789.") == b"":
            script = found + newline + rest
            _rewrite(path, script)
            digest = base64.urlsafe_b64encode(hashlib.sha256(script).digest()).decode().rstrip("=")
            changed[f"/{python.parent.name}/{path.name}"] = f"sha256={digest},{len(script)}"
    for record in environment.rglob("*.dist-info/RECORD") if changed else ():
        _record(record, changed)


def _record(path: Path, changed: dict[str, str]) -> None:
    """Let the list of a package's files say what its scripts are now."""
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        name = line.rsplit(",", 2)[0]
        digest = next((text for end, text in changed.items() if name.startswith("..") and name.endswith(end)), None)
        lines.append(line if digest is None else f"{name},{digest}")
    _rewrite(path, "".join(f"{line}\n" for line in lines).encode())


def _rewrite(path: Path, data: bytes) -> None:
    mode = path.stat().st_mode
    path.unlink()  # it may be the file in an installer's cache as well
    path.write_bytes(data)
    path.chmod(mode)
