"""Who this is for a server: what `otflow.login` has kept, and how it is said.

The file is MLflow's, `~/.mlflow/credentials`. MLflow knows its section `[mlflow]`, and sends what is in it to any
server; otflow keeps a section for each server beside it, named `scheme://host:port`, and sends what is in it to that
one:

```ini
[mlflow]
mlflow_tracking_uri = https://mlflow.example.com
mlflow_tracking_username = ada
mlflow_tracking_password = …

[https://mlflow.example.com]
mlflow_tracking_username = ada
mlflow_tracking_password = …
```

A percent sign in a value is written twice, as MLflow wants it.

What is in `[mlflow]` goes to the server that `mlflow_tracking_uri` names there, and where it names none (the key is
otflow's) to the one that is the tracking URI of the process.
"""

from __future__ import annotations

import logging
import os
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from otflow import config
from otflow.errors import OtflowError
from otflow.store.remote.profiles import Profiles, read_profiles, write_profiles

__all__ = ["Credentials", "credentials_path", "keep_credentials", "kept_credentials", "origin_of"]

_logger = logging.getLogger("otflow")

_MLFLOW: Final = "mlflow"
_URI: Final = "mlflow_tracking_uri"
_USERNAME: Final = "mlflow_tracking_username"
_PASSWORD: Final = "mlflow_tracking_password"
_TOKEN: Final = "mlflow_tracking_token"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name with its password, or a token."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def header(self) -> str:
        """What the header `Authorization` says."""
        if self.token is not None:
            return f"Bearer {self.token}"
        return "Basic " + b64encode(f"{self.username or ''}:{self.password or ''}".encode()).decode()


def credentials_path() -> str:
    """The file that credentials are kept in."""
    return os.path.expanduser(config.CREDENTIALS_FILE.get() or os.path.join("~", ".mlflow", "credentials"))


def origin_of(uri: str) -> str | None:
    """The server that a URI names, as `scheme://host[:port]`; None where it names none."""
    try:
        parts = urlsplit(uri.strip())
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        return None
    if scheme not in _PORTS or not host:
        return None
    location = f"[{host}]" if ":" in host else host
    return f"{scheme}://{location}" if port in (None, _PORTS[scheme]) else f"{scheme}://{location}:{port}"


def kept_credentials(uri: str) -> Credentials | None:
    """The credentials that are kept for the server of a URI; None where there are none, or none that can be read."""
    origin = origin_of(uri)
    if origin is None:
        return None
    sections = _file.sections()
    own = _credentials(sections.get(origin, {}))
    if own is not None:
        return own
    general = sections.get(_MLFLOW, {})
    server = general.get(_URI) or config.TRACKING_URI.get()
    return _credentials(general) if server and origin_of(server) == origin else None


def keep_credentials(uri: str, credentials: Credentials) -> None:
    """Keep the credentials for the server of a URI, in place of those that it had.

    They are put into the section that MLflow reads as well, unless that was written by somebody else or they are a
    token, of which MLflow knows nothing there.

    Raises:
        InvalidParameterError: The file cannot hold such a user name, password or token.
        OtflowError: The file cannot be read or written.
    """
    origin = origin_of(uri)
    if origin is None:
        raise OtflowError("Credentials are kept for servers, http(s)://host[:port], alone")
    given = {_USERNAME: credentials.username, _PASSWORD: credentials.password, _TOKEN: credentials.token}
    values = {key: text if text is None else text.replace("%", "%%") for key, text in given.items()}
    changes: dict[str, dict[str, str | None]] = {}
    path = credentials_path()
    general = read_profiles(path).get(_MLFLOW, {})
    if not (general.keys() & {_USERNAME, _PASSWORD}) or general.get(_URI):
        if credentials.token is None:
            changes[_MLFLOW] = {_URI: origin, **values}
        elif general and origin_of(general.get(_URI, "")) == origin:
            changes[_MLFLOW] = dict.fromkeys((_URI, *values))
    changes[origin] = values
    write_profiles(path, changes)


def _credentials(section: dict[str, str]) -> Credentials | None:
    values = {key: text.replace("%%", "%") for key, text in section.items()}
    if values.get(_TOKEN):
        return Credentials(token=values[_TOKEN])
    if values.get(_USERNAME):
        return Credentials(username=values[_USERNAME], password=values.get(_PASSWORD))
    return None


class _File:
    """The file as it was read last: it is asked for with each request, and read anew when it has changed."""

    def __init__(self) -> None:
        self._read: tuple[object, Profiles] = (None, {})

    def sections(self) -> Profiles:
        path = credentials_path()
        try:
            status = os.stat(path)
        except OSError:
            return {}
        state = (path, status.st_mtime_ns, status.st_size, status.st_ino)
        if self._read[0] != state:
            sections: Profiles = {}
            try:
                sections = read_profiles(path)
            except OtflowError as error:  # said once for each state of it; requests go out without credentials
                _logger.warning("The credentials that are kept are not used: %s", error)
            self._read = (state, sections)
        return self._read[1]


_file = _File()
