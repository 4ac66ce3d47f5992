"""Images: of Pillow, of numpy's arrays, and as files."""

from __future__ import annotations

import io
import os
import posixpath
import re
import secrets
import uuid
import warnings
from typing import TYPE_CHECKING, Any, Final

from otflow.errors import ArgumentTypeError, InvalidParameterError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as PillowImage

__all__ = ["Image", "image_bytes", "is_image", "preview_bytes", "series_path", "to_pillow"]

_PREVIEW: Final = 256
"""The longer side of a preview, in pixels."""
_KEY: Final = re.compile(r"[\w\-./ ]+").fullmatch


class Image:
    """An image that can be logged, wherever it came from.

    Args:
        image: An array of numpy or what becomes one (H x W, H x W x 1, H x W x 3 or H x W x 4), an image of Pillow, or
            the path of a file.

    Raises:
        ArgumentTypeError: it is none of these.
        InvalidParameterError: an array of a shape, or with values, that no image has.
        MissingExtraError: Pillow or numpy is not installed.

    Example:
        >>> import numpy as np
        >>> import otflow
        >>> otflow.Image(np.zeros((2, 3), dtype=np.uint8)).size
        (3, 2)
    """

    def __init__(self, image: Any) -> None:
        if isinstance(image, (str, os.PathLike)):
            with _pillow().open(image) as opened:
                opened.load()
                self.image: PillowImage = opened.copy()
        elif isinstance(image, (list, tuple)):
            self.image = array_image(_numpy().array(image))
        elif isinstance(image, Image) or _is_pillow(image) or _is_array(image):
            self.image = to_pillow(image)
        else:
            raise ArgumentTypeError(
                f"Unsupported image object type: {type(image)}. `image` must be one of numpy.ndarray, PIL.Image.Image,"
                " or a filepath to an image."
            )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in pixels."""
        return self.image.size

    def to_pil(self) -> PillowImage:
        """The image as one of Pillow."""
        return self.image

    def to_array(self) -> np.ndarray[Any, Any]:
        """The image as an array of numpy."""
        return _numpy().array(self.image)

    def to_list(self) -> list[Any]:
        """The pixels, row by row: a number each, or a tuple of channels."""
        array: Any = self.to_array()
        if array.ndim == 2:
            return array.reshape(-1).tolist()
        return [tuple(pixel) for pixel in array.reshape(-1, array.shape[-1]).tolist()]

    def resize(self, size: tuple[int, int]) -> Image:
        """The image at another size: width and height, in pixels."""
        return Image(self.image.resize(size))

    def save(self, path: str) -> None:
        """Save it as a file; the extension says the format."""
        self.image.save(path)


def _pillow() -> Any:
    try:
        from PIL import Image as PillowModule
    except ImportError as error:
        raise MissingExtraError("Pillow", "images", "Logging images") from error
    return PillowModule


def _numpy() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise MissingExtraError("numpy", "images", "Making images of arrays") from error
    return numpy


def _is_pillow(value: object) -> bool:
    return any(cls.__module__ == "PIL.Image" and cls.__name__ == "Image" for cls in type(value).__mro__)


def _is_array(value: object) -> bool:
    return any(cls.__module__ == "numpy" and cls.__name__ == "ndarray" for cls in type(value).__mro__)


def is_image(value: object) -> bool:
    """Whether it is an image already: an array is not."""
    return isinstance(value, Image) or _is_pillow(value)


def to_pillow(image: Any) -> PillowImage:
    """An image of Pillow that shares nothing with what it was made of.

    Raises:
        ArgumentTypeError: it is neither an array, nor an image of Pillow, nor an `otflow.Image`.
        InvalidParameterError: an array of a shape, or with values, that no image has.
    """
    if isinstance(image, Image):
        return image.image.copy()
    if _is_pillow(image):
        return image.copy()
    if _is_array(image):
        return array_image(image)
    raise ArgumentTypeError(
        f"Unsupported image object type: {type(image)}. `image` must be one of numpy.ndarray, PIL.Image.Image, and"
        " otflow.Image."
    )


def array_image(array: np.ndarray[Any, Any]) -> PillowImage:
    """The image that an array is; see `Image`.

    Raises:
        ArgumentTypeError: an array of something else than numbers and booleans.
        InvalidParameterError: a shape, or a value, that no image has.
    """
    if array.ndim not in (2, 3):
        raise InvalidParameterError(f"`image` must be a 2D or 3D array but got image shape: {array.shape}")
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4):
        raise InvalidParameterError(f"Invalid channel length: {array.shape[2]}. Must be one of [1, 3, 4]")
    if array.size == 0:
        raise InvalidParameterError(f"`image` must have pixels but got image shape: {array.shape}")
    pixels = _pixels(array)
    return _pillow().fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _pixels(array: Any) -> Any:
    """The array as bytes, one for each pixel and channel."""
    np = _numpy()
    kind = array.dtype.kind
    if kind == "b":
        return array.astype(np.uint8) * 255
    if kind not in "iuf":
        raise ArgumentTypeError(
            f"Invalid array data type: '{array.dtype}'. Must be one of ['bool', 'signed integer', 'unsigned integer',"
            " 'floating']"
        )
    if kind == "f":
        array = _finite(np, array)
    low, high = array.min(), array.max()
    if kind != "f":
        if low < 0 or high > 255:
            raise InvalidParameterError(
                "Integer pixel values out of acceptable range [0, 255]. Found minimum value"
                f" {low} and maximum value {high}. Ensure all pixel values are within the specified range."
            )
        return array.astype(np.uint8)
    values = array.astype(np.float64)
    if low < 0 or high > 1:
        warnings.warn(
            "Float pixel values out of acceptable range [0.0, 1.0]. Found minimum value"
            f" {low} and maximum value {high}. Rescaling values to [0.0, 1.0] with min/max scaler.",
            stacklevel=2,
        )
        values = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return (values * 255).astype(np.uint8)


def _finite(np: Any, array: Any) -> Any:
    finite = np.isfinite(array)
    if finite.all():
        return array
    warnings.warn("The image has NaN or infinity among its pixel values; they become 0.", stacklevel=2)
    return np.where(finite, array, 0)


# -- as files ----------------------------------------------------------------------------------------


def image_bytes(image: PillowImage, path: str) -> bytes:
    """An image as the content of a file.

    Args:
        image: The image.
        path: The name of the file; its extension says the format.

    Raises:
        InvalidParameterError: no format has this extension, or the format cannot hold such an image.
    """
    extension = posixpath.splitext(path)[1].lower()
    known: dict[str, str] = _pillow().registered_extensions()
    if extension not in known:
        raise InvalidParameterError(f"unknown file extension: {extension!r} of {path!r}; .png, .jpg or .webp would do")
    target = io.BytesIO()
    try:
        image.save(target, format=known[extension])
    except (OSError, KeyError) as error:
        raise InvalidParameterError(f"an image of mode {image.mode} cannot be saved as {path!r}: {error}") from error
    return target.getvalue()


def preview_bytes(image: PillowImage) -> bytes:
    """A small version of an image, in WebP, 256 pixels at its longer side."""
    width, height = image.size
    scale = _PREVIEW / max(width, height)
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    target = io.BytesIO()
    image.convert("RGB").resize(size).save(target, format="WEBP")
    return target.getvalue()


def series_path(key: str, step: int, timestamp_ms: int) -> str:
    """The path of one image of a series, without an extension: as MLflow names them, so that its pages show them.

    Raises:
        InvalidParameterError: the key has characters that are not allowed.
    """
    if not isinstance(key, str) or _KEY(key) is None:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(
            "The `key` parameter may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ),"
            f" and slashes (/). The provided key `{key}` contains invalid characters."
        )
    # The first character is a letter: names that begin with a digit are other things to MLflow's pages.
    name = secrets.choice("abcdefghijklmnopqrstuvwxyz") + str(uuid.uuid4())[1:]
    return f"images/{key.replace('/', '#')}%step%{step}%timestamp%{timestamp_ms}%{name}"
