"""Credentials, asked for on the terminal and kept where only their owner reads them."""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import unquote, urlsplit

from otflow import config, context
from otflow.errors import InvalidParameterError, OtflowError
from otflow.store.remote.client import HttpClient
from otflow.store.remote.credentials import Credentials, credentials_path, keep_credentials, kept_credentials, origin_of
from otflow.tracking.databricks_login import login_to_databricks
from otflow.tracking.prompting import ask, ask_secret, may_ask
from otflow.wire.endpoints import SEARCH_EXPERIMENTS

__all__ = ["login"]

_logger = logging.getLogger("otflow")

_TRIES: Final = 3
"""How often credentials are asked for that the server does not accept."""
_ALLOWED: Final = "'databricks', 'databricks://<profile>', 'mlflow', 'otflow', or the URL of a server, http(s)://host"


def login(backend: str = "databricks", interactive: bool = True) -> None:
    """Find credentials, or ask for them on the terminal, and keep them in a file that only you may read.

    For a server, they are tried there before they are kept, in `~/.mlflow/credentials`, and the server becomes the
    tracking URI. Requests to that server, and to no other, are sent with them from then on, unless the URI or the
    variables `OTFLOW_TRACKING_TOKEN`, `…_USERNAME` and `…_PASSWORD` say otherwise. A server that wants none gets none.

    For Databricks they are kept as a profile in `~/.databrickscfg`, for programs that speak to it; otflow does not, and
    the tracking URI stays as it is. The variables of Databricks (`DATABRICKS_HOST`, `…_TOKEN`, `…_CONFIG_PROFILE`,
    `…_CONFIG_FILE`) are heeded.

    Args:
        backend: `"databricks"`, or `"databricks://<profile>"` for a profile that is not the default one; the URL of an
            otflow or MLflow server; `"otflow"` or `"mlflow"` for the server that is the tracking URI.
        interactive: Whether to ask for what is missing, where there is a terminal or a notebook.

    Raises:
        InvalidParameterError: The backend is none of these, or an answer is not allowed.
        OtflowError: Credentials are missing and may not be asked for; the server does not accept them
            (`UNAUTHENTICATED`); a file cannot be read or written. Nothing has changed then.
        StoreUnavailableError: The server cannot be reached.

    Example:
        >>> import otflow
        >>> otflow.login("https://mlflow.example.com")  # doctest: +SKIP
    """
    if isinstance(backend, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        if backend in ("otflow", "mlflow"):
            return _login_to_server(_current_server(backend, interactive), interactive)
        if backend.lower().startswith(("http://", "https://")):
            return _login_to_server(backend, interactive)
        scheme, separator, profile = backend.partition("://")
        if scheme == "databricks" and bool(separator) == bool(profile):
            return login_to_databricks(profile or None, interactive)
    raise InvalidParameterError(f"Unsupported backend {_shown(backend)}; allowed: {_ALLOWED}")


def _shown(backend: object) -> str:
    return repr(backend) if not isinstance(backend, str) or "@" not in backend else "with a user name in it"


def _current_server(backend: str, interactive: bool) -> str:
    uri = context.get_tracking_uri()
    if origin_of(uri) is not None:
        return uri
    if interactive and may_ask():
        return ask("Server (begins with http:// or https://): ", "the URL of the server")
    raise OtflowError(
        f"No server to log in to: the tracking URI is none. Set it, or name the server in place of {backend!r}:"
        " otflow.login('https://host:port')"
    )


def _login_to_server(uri: str, interactive: bool) -> None:
    own, server = _taken_apart(uri)
    if own is not None:
        _try(server, own)
        keep_credentials(server, own)
    elif config.TRACKING_TOKEN.get() is not None or config.TRACKING_USERNAME.get() is not None:
        _try(server, None)  # with those, which need not be kept
    elif not _is_open(server):
        if not (interactive and may_ask()):
            refused = kept_credentials(server) is not None
            raise OtflowError(
                f"{server} "
                + (f"does not accept the credentials in {credentials_path()}" if refused else "wants credentials")
                + ", and there is no terminal, or no leave, to ask for them. Set OTFLOW_TRACKING_TOKEN, or"
                " OTFLOW_TRACKING_USERNAME and OTFLOW_TRACKING_PASSWORD",
                "UNAUTHENTICATED",
            )
        keep_credentials(server, _asked(server))
    context.set_tracking_uri(server)
    _logger.info("Logged in to %s, which is the tracking URI now.", server)


def _taken_apart(uri: str) -> tuple[Credentials | None, str]:
    """The credentials in a URI, and the URI without them."""
    client = HttpClient(uri)  # refuses what is no URI of a server
    parts = urlsplit(uri.strip())
    if parts.username is None:
        return None, client.uri
    return Credentials(unquote(parts.username), unquote(parts.password or "") or None), client.uri


def _try(server: str, credentials: Credentials | None) -> None:
    """Ask the server for something, with these credentials or with those that it would get anyway."""
    client = HttpClient(server, credentials)
    try:
        client.call(SEARCH_EXPERIMENTS, body={"max_results": 1})
    finally:
        client.close()


def _is_open(server: str) -> bool:
    """Whether the server answers to those that it does not know, or to the credentials that are kept."""
    try:
        _try(server, None)
    except OtflowError as error:
        if error.error_code not in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
            raise
        return False
    return True


def _asked(server: str) -> Credentials:
    """Credentials from the terminal that the server accepts."""
    for left in range(_TRIES - 1, -1, -1):
        username = ask(f"User name at {server} (empty for a token): ", "a user name or a token", empty=True)
        if username:
            found = Credentials(username, ask_secret("Password: ", "the password"))
        else:
            found = Credentials(token=ask_secret("Token: ", "the token"))
        try:
            _try(server, found)
        except OtflowError as error:
            if error.error_code != "UNAUTHENTICATED" or not left:
                raise
            _logger.warning("%s does not accept these.", server)
        else:
            return found
    raise OtflowError(f"{server} does not accept the credentials", "UNAUTHENTICATED")
