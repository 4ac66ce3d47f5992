"""Figures as files."""

from __future__ import annotations

import io

import matplotlib as mpl
import pytest
from PIL import Image

mpl.use("agg")

from matplotlib import pyplot as plt
from plotly import graph_objects

from otflow.errors import ArgumentTypeError, InvalidParameterError
from otflow.files.figures import figure_bytes


@pytest.fixture
def figure():
    made, axes = plt.subplots(figsize=(2, 1))
    axes.plot([1, 2])
    yield made
    plt.close(made)


@pytest.mark.parametrize(
    ("name", "start"), [("f.png", b"\x89PNG"), ("d/f.PDF", b"%PDF"), ("f.svg", b"<?xml"), ("f.jpg", b"\xff\xd8")]
)
def test_matplotlib(figure, name, start):
    assert figure_bytes(figure, name).startswith(start)


def test_arguments_of_the_library(figure):
    small = Image.open(io.BytesIO(figure_bytes(figure, "f.png", {"dpi": 10})))
    assert small.size == (20, 10)
    with pytest.raises(ArgumentTypeError, match="nope"):
        figure_bytes(figure, "f.png", {"nope": 1})


@pytest.mark.parametrize("name", ["f", "f.html", "f.xyz"])
def test_names_without_a_format(figure, name):
    with pytest.raises(InvalidParameterError, match="png"):
        figure_bytes(figure, name)


def test_plotly():
    made = graph_objects.Figure(data=[graph_objects.Bar(y=[1, 2])])
    page = figure_bytes(made, "f.html", {"include_plotlyjs": "cdn"}).decode()
    assert "<html>" in page
    assert "cdn" in page
    with pytest.raises(InvalidParameterError, match="html"):
        figure_bytes(made, "f.xyz")


@pytest.mark.parametrize("what", [5, None, "figure", object()])
def test_what_is_no_figure(what):
    with pytest.raises(ArgumentTypeError, match="Unsupported figure object type") as caught:
        figure_bytes(what, "f.png")
    assert isinstance(caught.value, TypeError)


def test_axes_are_no_figure(figure):
    with pytest.raises(ArgumentTypeError):
        figure_bytes(figure.axes[0], "f.png")
