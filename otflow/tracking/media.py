"""Figures, images and tables of the active run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otflow import context
from otflow.client import Client
from otflow.client.artifact_queue import artifact_queue
from otflow.tracking.artifacts import place_of

if TYPE_CHECKING:
    import numpy
    import pandas
    from matplotlib.figure import Figure
    from PIL.Image import Image as PillowImage
    from plotly.graph_objects import Figure as PlotlyFigure  # pyright: ignore[reportMissingTypeStubs]

    from otflow.files.images import Image

__all__ = ["flush_artifact_async_logging", "load_table", "log_figure", "log_image", "log_table"]


def log_figure(figure: Figure | PlotlyFigure, artifact_file: str, *, save_kwargs: dict[str, Any] | None = None) -> None:
    """Keep a figure as an artifact of the active run; where none is active, one is started.

    Args:
        figure: A figure of matplotlib or of plotly.
        artifact_file: The path of the file; its extension says the format. For plotly `.html` needs no further package.
        save_kwargs: Further arguments of the library's function: matplotlib's `savefig`, plotly's `to_html` or
            `to_image`.

    Raises:
        ArgumentTypeError: it is no figure.
        InvalidParameterError: no such format, or the path leads elsewhere.
    """
    client, run = place_of(None)
    client.log_figure(run, figure, artifact_file, save_kwargs=save_kwargs)


def log_image(
    image: numpy.ndarray[Any, Any] | PillowImage | Image,
    artifact_file: str | None = None,
    key: str | None = None,
    step: int | None = None,
    timestamp: int | None = None,
    synchronous: bool | None = False,
) -> None:
    """Keep an image as an artifact of the active run: as a file of its own, or as one of a series.

    Args:
        image: An image of Pillow, an `otflow.Image`, or an array of numpy of the shape H x W, H x W x 1, H x W x 3
            (RGB) or H x W x 4 (RGBA): bool, integers from 0 to 255, or floats from 0 to 1 (others are
            rescaled, with a warning).
        artifact_file: The path of the file; its extension says the format. Without the next three.
        key: The name of the series: letters, digits, `_`, `-`, `.`, space and `/`.
        step: The step that it is of; 0 by default.
        timestamp: Unix time in milliseconds; now by default.
        synchronous: Whether to wait until an image of a series is written; `flush_artifact_async_logging` waits for
            all. A file of its own is written at once.

    Raises:
        ArgumentTypeError: it is no image, or neither or both of `artifact_file` and `key` are given.
        InvalidParameterError: an array of a shape, or with values, that no image has; or a path that leads elsewhere.
        MissingExtraError: Pillow is not installed.

    Example:
        >>> import numpy as np
        >>> import otflow
        >>> with otflow.start_run() as run:
        ...     otflow.log_image(np.zeros((8, 8, 3), dtype=np.uint8), "black.png")
        >>> otflow.artifacts.load_image(f"runs:/{run.info.run_id}/black.png").size
        (8, 8)
    """
    client, run = place_of(None)
    client.log_image(run, image, artifact_file, key, step, timestamp, synchronous)


def flush_artifact_async_logging() -> None:
    """Wait until all files that were logged with `synchronous=False` are written, or have failed."""
    artifact_queue.flush()


def log_table(data: dict[str, Any] | pandas.DataFrame, artifact_file: str, run_id: str | None = None) -> None:
    """Keep a table as an artifact; where the file is there already, its rows are added to it.

    Args:
        data: A dictionary of columns, or of one row, or a data frame. Images in it are kept as files beside it.
        artifact_file: The path of the file, which ends in `.json` or `.parquet`.
        run_id: The run; the active one by default.

    Raises:
        InvalidParameterError: it is no table, or the path is not allowed.
        MissingExtraError: pandas is not installed.
    """
    client, run = place_of(run_id)
    client.log_table(run, data, artifact_file)


def load_table(
    artifact_file: str, run_ids: list[str] | None = None, extra_columns: list[str] | None = None
) -> pandas.DataFrame:
    """The tables of this name of the runs of the active experiment, one below the other.

    Args:
        artifact_file: The path of the file.
        run_ids: The runs; all that have such a table by default, the last started first.
        extra_columns: Facts of the runs, named like the columns of `search_runs`, such as `"run_id"` or `"params.x"`.

    Raises:
        NotFoundError: no run has such a table.
        InvalidParameterError: there is no such column.
        MissingExtraError: pandas is not installed.
    """
    return Client().load_table(context.experiment_id(), artifact_file, run_ids, extra_columns)
