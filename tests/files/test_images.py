"""Images: from arrays and Pillow, to files."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as Pillow

import otflow
from otflow.errors import ArgumentTypeError, InvalidParameterError, MissingExtraError
from otflow.files.images import image_bytes, preview_bytes, series_path, to_pillow

SHAPES = st.sampled_from([(3, 4), (3, 4, 1), (3, 4, 3), (3, 4, 4)])
MODES = {(3, 4): "L", (3, 4, 1): "L", (3, 4, 3): "RGB", (3, 4, 4): "RGBA"}


def pixels_of(array):
    return np.array(to_pillow(array))


@given(SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, shape)))
def test_bytes_are_pixels(array):
    image = to_pillow(array)
    assert (image.mode, image.size) == (MODES[array.shape], (4, 3))
    assert np.array_equal(np.array(image), array[:, :, 0] if array.shape == (3, 4, 1) else array)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64])
@given(values=hnp.arrays(np.uint8, (3, 4), elements=st.integers(0, 127)))
def test_integers(dtype, values):
    assert np.array_equal(pixels_of(values.astype(dtype)), values)


@pytest.mark.parametrize("value", [-1, 256, 300])
def test_integers_that_are_no_pixels(value):
    with pytest.raises(InvalidParameterError, match=f"minimum value .*{min(value, 0)}"):
        to_pillow(np.array([[0, value]]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats(dtype):
    assert pixels_of(np.array([[0, 0.5, 1]], dtype=dtype)).tolist() == [[0, 127, 255]]


def test_floats_out_of_range_are_rescaled():
    with pytest.warns(UserWarning, match=r"out of acceptable range.*-1.*3"):
        assert pixels_of(np.array([[-1.0, 1.0, 3.0]])).tolist() == [[0, 127, 255]]
    with pytest.warns(UserWarning, match="out of acceptable range"):
        assert pixels_of(np.array([[3.0, 3.0]])).tolist() == [[0, 0]]


def test_what_is_not_finite():
    with pytest.warns(UserWarning, match="NaN or infinity"):
        assert pixels_of(np.array([[np.nan, np.inf, -np.inf, 1.0]])).tolist() == [[0, 0, 0, 255]]


def test_booleans_are_black_and_white():
    assert pixels_of(np.array([[True, False]])).tolist() == [[255, 0]]


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3, 3), (3, 4, 2), (3, 4, 5), (0, 0), (0, 3, 3)])
def test_shapes_that_are_none(shape):
    with pytest.raises(InvalidParameterError, match=r"image|channel"):
        to_pillow(np.zeros(shape))


@pytest.mark.parametrize("array", [np.zeros((2, 2), complex), np.array([["a"]]), np.array([[None]])])
def test_types_that_are_none(array):
    with pytest.raises(ArgumentTypeError, match="Invalid array data type") as caught:
        to_pillow(array)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("image", ["x", 5, None, [[1, 2]], object()])
def test_what_is_no_image(image):
    with pytest.raises(ArgumentTypeError, match="Unsupported image object type"):
        to_pillow(image)


def test_nothing_is_shared_with_the_caller():
    array = np.zeros((2, 2), dtype=np.uint8)
    picture = Pillow.new("L", (2, 2))
    images = [to_pillow(array), to_pillow(picture), to_pillow(otflow.Image(picture))]
    array[:] = 9
    picture.putpixel((0, 0), 9)
    assert [np.array(image).max() for image in images] == [0, 0, 0]


class TestImage:
    def test_from_anything(self, tmp_path):
        array = np.arange(12, dtype=np.uint8).reshape(3, 4)
        path = tmp_path / "a.png"
        Pillow.fromarray(array).save(path)
        for source in (array, array.tolist(), Pillow.fromarray(array), str(path), path, otflow.Image(array)):
            image = otflow.Image(source)
            assert image.size == (4, 3)
            assert np.array_equal(image.to_array(), array)
        with pytest.raises(ArgumentTypeError):
            otflow.Image(5)

    def test_what_it_can(self, tmp_path):
        image = otflow.Image(np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8))
        assert image.to_list() == [(1, 2, 3), (4, 5, 6)]
        assert otflow.Image(np.array([[1, 2], [3, 4]], dtype=np.uint8)).to_list() == [1, 2, 3, 4]
        assert image.resize((8, 4)).size == (8, 4)
        assert image.to_pil().mode == "RGB"
        image.save(str(tmp_path / "saved.png"))
        with Pillow.open(tmp_path / "saved.png") as saved:
            assert saved.size == (2, 1)


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "form"), [("a.png", "PNG"), ("a.JPG", "JPEG"), ("d/a.webp", "WEBP"), ("a.gif", "GIF")]
    )
    def test_the_name_says_the_format(self, name, form):
        data = image_bytes(Pillow.new("RGB", (2, 2)), name)
        assert Pillow.open(io.BytesIO(data)).format == form

    @pytest.mark.parametrize("name", ["a", "a.xyz", "png", ".png"])
    def test_names_without_a_format(self, name):
        with pytest.raises(InvalidParameterError, match="extension"):
            image_bytes(Pillow.new("RGB", (2, 2)), name)

    def test_what_a_format_cannot_hold(self):
        with pytest.raises(InvalidParameterError, match="RGBA"):
            image_bytes(Pillow.new("RGBA", (2, 2)), "a.jpg")

    @pytest.mark.parametrize(
        ("size", "small"), [((200, 100), (256, 128)), ((1200, 800), (256, 170)), ((1, 900), (1, 256))]
    )
    def test_previews(self, size, small):
        preview = Pillow.open(io.BytesIO(preview_bytes(Pillow.new("L", size))))
        assert (preview.format, preview.size) == ("WEBP", small)

    def test_names_in_a_series(self):
        path = series_path("a/b c", 3, 17)
        assert path.startswith("images/a#b c%step%3%timestamp%17%")
        assert path.rpartition("%")[2][0].isalpha()
        assert path != series_path("a/b c", 3, 17)

    @pytest.mark.parametrize("key", ["", "a#b", "a%b", "a\nb", None, 5])
    def test_keys_that_are_none(self, key):
        with pytest.raises(InvalidParameterError, match="key"):
            series_path(key, 0, 0)


@pytest.mark.parametrize(("package", "extra"), [("PIL", "images"), ("numpy", "images")])
def test_without_a_package(monkeypatch, package, extra):
    array = np.zeros((2, 2), dtype=np.uint8)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"otflow\[{extra}\]"):
        to_pillow(array)
