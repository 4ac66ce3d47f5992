"""`otflow traces export` and `otflow traces import`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import IO, Any

from otflow.cli.output import open_output, say
from otflow.cli.places import experiment_ids, find_experiment, named_experiment, opened, store_uri
from otflow.entities import Span
from otflow.errors import InvalidParameterError, NotFoundError
from otflow.store.interface import Store
from otflow.store.transfer.exporting import stored_traces
from otflow.store.transfer.files import format_of_name, open_writer, read_pieces
from otflow.store.transfer.importing import Imported, Piece, import_traces

__all__ = ["export", "load"]

_DEFAULT_EXPERIMENT = "0"


def export(arguments: Any) -> int:
    """Write traces to a file."""
    kind = arguments.format or (format_of_name(arguments.output) if arguments.output != "-" else None) or "jsonl"
    if kind in ("otlp", "parquet") and arguments.output == "-" and sys.stdout.isatty():
        raise InvalidParameterError(f"{kind} is binary: write it to a file with --output")
    with opened(store_uri(arguments.store)) as store:
        where = experiment_ids(store, arguments.experiment)
        with open_output(arguments.output) as out:
            writer = open_writer(kind, out)
            for trace in stored_traces(
                store, where, filter_string=arguments.filter, order_by=arguments.order_by, limit=arguments.limit
            ):
                writer.write(trace)
            writer.close()
    say(f"{_count(writer.traces, 'trace')} with {_count(writer.spans, 'span')} exported as {kind}")
    if writer.left_out:
        say(f"{_count(writer.left_out, 'trace')} without spans left out: OTLP has no place for them")
    return 0


def load(arguments: Any) -> int:
    """Read traces from files."""
    with opened(store_uri(arguments.store), create=True) as store:
        home = _home(store, arguments.experiment)
        imported = Imported()
        for name in arguments.file:
            with _input(name) as stream:
                found = import_traces(store, _pieces(stream, arguments.format, name), home=home, translate=read_foreign)
            imported.traces += found.traces
            imported.spans += found.spans
            imported.assessments += found.assessments
    say(
        f"{_count(imported.traces, 'trace')} with {_count(imported.spans, 'span')} and"
        f" {_count(imported.assessments, 'assessment')} imported"
    )
    return 0


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@contextmanager
def _input(name: str) -> Generator[IO[bytes], None, None]:
    if name == "-":
        yield sys.stdin.buffer
    else:
        with open(name, "rb") as file:
            yield file


def _pieces(stream: IO[bytes], kind: str | None, name: str) -> Iterator[Piece]:
    return read_pieces(stream, kind, "stdin" if name == "-" else name)


def _home(store: Store, given: str | None) -> Callable[[str | None], str]:
    """The id of the experiment for traces of the one with a name; experiments are made where there is none."""
    known: dict[str | None, str] = {}

    def find(name: str | None) -> str:
        wanted = given if given is not None else name
        if wanted is None:
            named = named_experiment()
            wanted = named[0] if named else None
        if wanted is None:
            return _DEFAULT_EXPERIMENT
        # A name that a file gives is a name, be it all digits; what a person types may be an id.
        by_name = given is None and name is not None
        found = store.get_experiment_by_name(wanted) if by_name else find_experiment(store, wanted)
        if found is not None:
            return found.experiment_id
        if given is not None and wanted.isdecimal():
            raise NotFoundError(f"there is no experiment with the id {wanted} in {store.uri}")
        return store.create_experiment(wanted)

    def home(name: str | None) -> str:
        if name not in known:
            known[name] = find(name)
        return known[name]

    return home


def read_foreign(spans: list[Span]) -> list[Span]:
    """Spans of other instrumentation, so that they read like ours."""
    from otflow.wire.conventions import read

    return [read(span) for span in spans]
