"""Profiles of Databricks, in the file that its own programs read."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from otflow import config
from otflow.errors import InvalidParameterError, OtflowError
from otflow.store.remote.profiles import read_profiles, write_profiles
from otflow.tracking.prompting import ask, ask_secret, may_ask

__all__ = ["login_to_databricks"]

_logger = logging.getLogger("otflow")

_DEFAULT: Final = "DEFAULT"
_SUFFICIENT: Final = (("token",), ("username", "password"), ("client_id", "client_secret"))
"""What proves who somebody is, beside `host`. Source: Databricks, unified authentication."""


def login_to_databricks(profile: str | None, interactive: bool) -> None:
    """Find credentials of Databricks in the environment or in a profile, or ask for them and write the profile.

    Args:
        profile: The name of the profile; None for the one that the environment names, else the default one.
        interactive: Whether to ask.

    Raises:
        InvalidParameterError: The profile cannot have that name, or an answer is not allowed.
        OtflowError: There are none and there is nobody to ask, or the file cannot be read or written.
    """
    environment = config.variables(("DATABRICKS_",))
    path = os.path.expanduser(environment.get("DATABRICKS_CONFIG_FILE") or os.path.join("~", ".databrickscfg"))
    named = profile or environment.get("DATABRICKS_CONFIG_PROFILE")
    name = named or _DEFAULT
    if "]" in name or not name.isprintable():
        raise InvalidParameterError(f"a profile of Databricks cannot be named {name!r}")
    here = {key.removeprefix("DATABRICKS_").lower(): text for key, text in environment.items()}
    kept = read_profiles(path).get(name, {})
    if (profile is None and not _missing(here)) or not _missing({**({} if profile else here), **kept}):
        _logger.info("Credentials of Databricks are there; otflow itself does not speak to Databricks.")
        return
    if not (interactive and may_ask()):
        raise OtflowError(
            f"No credentials of Databricks, and there is no terminal, or no leave, to ask for them:"
            f" {_missing(kept)} is missing in the profile {name} of {path}; or set DATABRICKS_HOST and DATABRICKS_TOKEN"
        )
    write_profiles(path, {name: _asked()})
    _logger.info("The profile %s is in %s now; otflow itself does not speak to Databricks.", name, path)


def _missing(values: Mapping[str, str]) -> str:
    """What is missing for logging in, in words; empty where nothing is."""
    if not _is_host(values.get("host", "")):
        return "host (https://…)"
    if any(all(values.get(key, "").strip() for key in keys) for keys in _SUFFICIENT):
        return ""
    return "token, or username and password,"


def _asked() -> dict[str, str | None]:
    host = ask("Databricks Host (should begin with https://): ", "the host")
    if not _is_host(host):
        shown = "one with a user name in it" if "@" in host else repr(host)
        raise InvalidParameterError(f"The host of a Databricks workspace is https://name, not {shown}")
    values: dict[str, str | None] = dict.fromkeys(("host", *(key for keys in _SUFFICIENT for key in keys)))
    values["host"] = host.rstrip("/")
    values["token"] = ask_secret("Token (empty for a user name and a password): ", "the token", empty=True) or None
    if values["token"] is None:
        values["username"] = ask("User name: ", "the user name")
        values["password"] = ask_secret("Password: ", "the password")
    return values


def _is_host(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
