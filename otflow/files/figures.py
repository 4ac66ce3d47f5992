"""Figures as files, in the format that the name of the file says."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Mapping
from typing import Any, Final

from otflow.errors import ArgumentTypeError, InvalidParameterError, OtflowError

__all__ = ["figure_bytes"]

_PLOTLY_IMAGES: Final = ("png", "jpeg", "jpg", "webp", "svg", "pdf")


def figure_bytes(figure: Any, path: str, save_kwargs: Mapping[str, Any] | None = None) -> bytes:
    """A figure as the content of a file.

    Args:
        figure: A figure of matplotlib or of plotly.
        path: The name of the file; its extension says the format.
        save_kwargs: Further arguments of the library's function: matplotlib's `savefig`, plotly's `write_html` or
            `to_image`.

    Raises:
        ArgumentTypeError: it is no figure.
        InvalidParameterError: no such format, or an argument that is not allowed.
        OtflowError: the library lacks something that the format needs.
    """
    options = dict(save_kwargs or {})
    extension = posixpath.splitext(path)[1].lstrip(".").lower()
    if _is(figure, "matplotlib.figure", "Figure"):
        return _matplotlib(figure, extension, path, options)
    if _is(figure, "plotly.graph_objs", "Figure") or _is(figure, "plotly.basedatatypes", "BaseFigure"):
        return _plotly(figure, extension, path, options)
    raise ArgumentTypeError(
        f"Unsupported figure object type: '{type(figure)}'; a matplotlib.figure.Figure or a"
        " plotly.graph_objects.Figure is needed"
    )


def _is(value: object, module: str, name: str) -> bool:
    """Whether it is of a class of this name: without importing the library, which is there if it is."""
    return any(cls.__name__ == name and cls.__module__.startswith(module) for cls in type(value).__mro__)


def _matplotlib(figure: Any, extension: str, path: str, options: dict[str, Any]) -> bytes:
    formats: Mapping[str, str] = figure.canvas.get_supported_filetypes()
    if extension not in formats:
        raise _no_format(path, formats)
    target = io.BytesIO()
    try:
        figure.savefig(target, **{"format": extension, **options})
    except TypeError as error:
        raise ArgumentTypeError(f"save_kwargs {options!r} are not allowed: {error}") from error
    return target.getvalue()


def _plotly(figure: Any, extension: str, path: str, options: dict[str, Any]) -> bytes:
    if extension in ("html", "htm"):
        return figure.to_html(**options).encode()
    if extension not in _PLOTLY_IMAGES:
        raise _no_format(path, ["html", *_PLOTLY_IMAGES])
    try:
        return figure.to_image(**{"format": extension, **options})
    except (ValueError, RuntimeError) as error:  # kaleido is absent, or the browser that it needs
        raise OtflowError(
            f"plotly cannot make {path!r} here: {error}. A name that ends in .html needs no further package"
        ) from error


def _no_format(path: str, formats: Any) -> InvalidParameterError:
    return InvalidParameterError(
        f"{path!r} names no format that this figure can be saved in; allowed extensions: {', '.join(sorted(formats))}"
    )
