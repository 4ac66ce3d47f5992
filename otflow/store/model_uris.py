"""`models:/` URIs: what of a logged model, a version, an alias or a stage they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from otflow.errors import InvalidParameterError
from otflow.store.registry_validation import LATEST

__all__ = ["SCHEME", "ModelUri", "parse_model_uri"]

SCHEME: Final = "models:/"

_FORMS: Final = (
    "models:/<model_id>, models:/<name>/<version>, models:/<name>/<stage>, models:/<name>/latest, "
    "models:/<name>@<alias>, each with /<path> behind it for a part of the artifacts"
)
_MODEL_ID: Final = re.compile(r"m-[0-9a-f]{32}").fullmatch
_ALIAS: Final = re.compile(r"([^/@]+)@([^/@]+)").fullmatch


@dataclass(frozen=True, slots=True)
class ModelUri:
    """What a URI means: a logged model, or a version of a registered model by one of its number, an alias, a stage.

    Attributes:
        model_id: The logged model; None where it is a version.
        name: The registered model, else empty.
        version: The number of the version, as it is written.
        alias: The alias; `latest` is one.
        stage: The stage.
        path: What of its artifacts, relative to them; empty for all. A `/` at its end stays.
    """

    model_id: str | None = None
    name: str = ""
    version: str | None = None
    alias: str | None = None
    stage: str | None = None
    path: str = ""


def parse_model_uri(uri: str) -> ModelUri:
    """What a `models:/` URI means.

    Raises:
        InvalidParameterError: it is none.
    """
    rest = uri.removeprefix(SCHEME).lstrip("/") if uri.startswith(SCHEME) else ""
    first, _, behind = rest.partition("/")
    aliased = _ALIAS(first)
    if aliased is not None:
        return ModelUri(name=aliased[1], alias=aliased[2], path=behind.lstrip("/"))
    if not first or "@" in first:
        raise InvalidParameterError(f"Not a proper models:/ URI: {uri}. Models URIs must be of the form {_FORMS}.")
    which, _, path = behind.partition("/")
    if not which:
        return ModelUri(model_id=first)
    if _MODEL_ID(first):
        return ModelUri(model_id=first, path=behind.lstrip("/"))
    if which.isascii() and which.isdigit():
        return ModelUri(name=first, version=which, path=path.lstrip("/"))
    if which.lower() == LATEST:
        return ModelUri(name=first, alias=LATEST, path=path.lstrip("/"))
    return ModelUri(name=first, stage=which, path=path.lstrip("/"))
