"""Figures, images and tables of runs."""

from __future__ import annotations

import json
import logging
import posixpath
import threading
import uuid
from typing import TYPE_CHECKING, Any, cast

from otflow import clock
from otflow.client.artifact_queue import artifact_queue
from otflow.client.artifacts import ArtifactClient
from otflow.client.frames import runs_frame
from otflow.entities import Run, RunTag
from otflow.errors import ArgumentTypeError, InvalidParameterError, MissingFileError, NotFoundError
from otflow.files.figures import figure_bytes
from otflow.files.images import Image, image_bytes, preview_bytes, series_path, to_pillow
from otflow.files.paths import checked_path
from otflow.files.tables import appended, checked_table_path, import_pandas, read_table, table, with_images
from otflow.search.tree import quote
from otflow.semconv import RunKey

if TYPE_CHECKING:
    import numpy
    import pandas
    from matplotlib.figure import Figure
    from PIL.Image import Image as PillowImage
    from plotly.graph_objects import Figure as PlotlyFigure  # pyright: ignore[reportMissingTypeStubs]

__all__ = ["MediaClient"]

_logger = logging.getLogger("otflow")

_appending = threading.Lock()
"""Held while a table is read, added to and written: two threads that append would lose rows."""


class MediaClient(ArtifactClient):
    """Figures, images and tables of runs."""

    def log_figure(
        self,
        run_id: str,
        figure: Figure | PlotlyFigure,
        artifact_file: str,
        *,
        save_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Keep a figure of matplotlib or plotly as a file; see `otflow.log_figure`."""
        path = checked_path(artifact_file, empty=False)
        self.run_repository(run_id).write(path, figure_bytes(figure, path, save_kwargs))

    # -- images ----------------------------------------------------------------------------------

    def log_image(
        self,
        run_id: str,
        image: numpy.ndarray[Any, Any] | PillowImage | Image,
        artifact_file: str | None = None,
        key: str | None = None,
        step: int | None = None,
        timestamp: int | None = None,
        synchronous: bool | None = None,
    ) -> None:
        """Keep an image as a file, or as one of a series; see `otflow.log_image`."""
        if artifact_file is not None and any(given is not None for given in (key, step, timestamp)):
            raise ArgumentTypeError(
                "The `artifact_file` parameter cannot be used in conjunction with `key`, `step`, or `timestamp`"
                " parameters. Please ensure that `artifact_file` is specified alone, without any of these conflicting"
                " parameters."
            )
        if artifact_file is None and key is None:
            raise ArgumentTypeError(
                "Invalid arguments: Please specify exactly one of `artifact_file` or `key`. Use `key` to log dynamic"
                " image charts or `artifact_file` for saving static images."
            )
        pixels = to_pillow(image)  # now: the caller may change it afterwards
        repository = self.run_repository(run_id)
        if artifact_file is not None:
            path = checked_path(artifact_file, empty=False)
            repository.write(path, image_bytes(pixels, path))
            return
        at = clock.now_ms() if timestamp is None else _whole("timestamp", timestamp)
        path = series_path(str(key), 0 if step is None else _whole("step", step), at)

        def write() -> None:
            repository.write(f"{path}.png", image_bytes(pixels, f"{path}.png"))
            repository.write(f"{path}%compressed.webp", preview_bytes(pixels))
            self._store().log_batch(run_id, tags=[RunTag(RunKey.LOGGED_IMAGES, "True")])

        if synchronous is False:
            artifact_queue.put(f"the image {path!r} of run {run_id}", write)
        else:
            write()

    # -- tables ----------------------------------------------------------------------------------

    def log_table(self, run_id: str, data: dict[str, Any] | pandas.DataFrame, artifact_file: str) -> None:
        """Keep a table as a file, behind the rows that are there already; see `otflow.log_table`."""
        path = checked_path(checked_table_path(artifact_file), empty=False)
        frame = table(data)
        repository = self.run_repository(run_id)

        def save(image: Any) -> dict[str, str]:
            where = posixpath.join("table_images", posixpath.splitext(path)[0], str(uuid.uuid4()))
            pixels = to_pillow(image)
            repository.write(f"{where}.png", image_bytes(pixels, f"{where}.png"))
            repository.write(f"{where}.webp", preview_bytes(pixels))
            return {"type": "image", "filepath": f"{where}.png", "compressed_filepath": f"{where}.webp"}

        frame = with_images(frame, save)
        with _appending:
            try:
                before = repository.read(path)
            except MissingFileError:
                before = None
            repository.write(path, appended(frame, path, before))
            self._remember(run_id, path)

    def _remember(self, run_id: str, path: str) -> None:
        """Name the table in the tag by which `load_table` finds the runs that have it."""
        known: list[dict[str, str]] = _tables(self._store().get_run(run_id))
        entry = {"path": path, "type": "table"}
        if entry not in known:
            tag = RunTag(RunKey.LOGGED_ARTIFACTS, json.dumps([*known, entry]))
            self._store().log_batch(run_id, tags=[tag])

    def load_table(
        self,
        experiment_id: str,
        artifact_file: str,
        run_ids: list[str] | None = None,
        extra_columns: list[str] | None = None,
    ) -> pandas.DataFrame:
        """The tables of this name of several runs, one below the other; see `otflow.load_table`.

        Args:
            experiment_id: The experiment that is searched.
            artifact_file: The path of the file.
            run_ids: The runs; all of the experiment that have such a table by default.
            extra_columns: Facts of the runs, named like the columns of `otflow.search_runs`.

        Raises:
            NotFoundError: no run has such a table.
            InvalidParameterError: there is no such column.
        """
        pd = import_pandas("load_table")
        runs = self._runs_with_table(experiment_id, checked_table_path(artifact_file), run_ids)
        facts = runs_frame(runs)
        absent = [column for column in extra_columns or () if column not in facts.columns]
        if absent:
            raise InvalidParameterError(f"no such columns of runs: {absent}; there are: {', '.join(facts.columns)}")
        frames: list[Any] = []
        for index, run in enumerate(runs):
            content = self.run_repository(run.info.run_id).read(artifact_file)
            frame = read_table(content, artifact_file)
            for column in extra_columns or ():
                frame[column] = [facts[column].iloc[index]] * len(frame)
            frames.append(frame)
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

    def _runs_with_table(self, experiment_id: str, path: str, run_ids: list[str] | None) -> list[Run]:
        entry = {"path": path, "type": "table"}
        found: list[Run] = []
        token: str | None = None
        shown = json.dumps(path)[1:-1].replace("%", "_")
        condition = f"tags.`{RunKey.LOGGED_ARTIFACTS}` LIKE {quote(f'%{shown}%')}"
        while True:
            page = self._store().search_runs([experiment_id], filter_string=condition, page_token=token)
            found += [run for run in page if entry in _tables(run)]
            token = page.token
            if token is None:
                break
        if run_ids is not None:
            wanted = set(run_ids)
            found = [run for run in found if run.info.run_id in wanted]
            if len(found) < len(wanted):
                _logger.warning("Not all runs have the table %r; those without it are left out.", path)
        if not found:
            raise NotFoundError(f"No runs found with the corresponding table artifact {path!r}.")
        return found


def _tables(run: Run) -> list[dict[str, str]]:
    try:
        known = json.loads(run.data.tags.get(RunKey.LOGGED_ARTIFACTS, "[]"))
    except ValueError:
        return []
    return cast("list[dict[str, str]]", known) if isinstance(known, list) else []


def _whole(name: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise InvalidParameterError(f"{name} must be a whole number, not {value!r}") from None
