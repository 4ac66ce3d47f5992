"""Reading traces back: one, many, by session."""

from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from otflow import context
from otflow.entities import Page, Session, Trace
from otflow.errors import InvalidParameterError, MissingExtraError, NotFoundError
from otflow.search.tree import quote
from otflow.semconv import Metadata
from otflow.tracing.annotations import settled_store
from otflow.tracing.renamed import formerly

if TYPE_CHECKING:
    import pandas

    from otflow.store.interface import Store

__all__ = ["get_trace", "search_sessions", "search_traces", "show"]

_logger = logging.getLogger("otflow")
_T = TypeVar("_T")

PAGE_SIZE = 100


@formerly(request_id="trace_id")
def get_trace(trace_id: str, silent: bool = False) -> Trace | None:
    """One trace, whole; of a trace that is still being made, what there is of it.

    Args:
        trace_id: The id of the trace.
        silent: Do not log a warning where there is no such trace.

    Returns:
        The trace; None where there is no such trace.
    """
    try:
        found = settled_store().get_trace(trace_id)
    except NotFoundError:
        if not silent:
            _logger.warning("There is no trace with the id %r in %s.", trace_id, context.store().uri)
        return None
    show([found])
    return found


@overload
def search_traces(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    max_results: int | None = None,
    order_by: list[str] | None = None,
    extract_fields: list[str] | None = None,
    run_id: str | None = None,
    *,
    return_type: Literal["list"],
    model_id: str | None = None,
    sql_warehouse_id: str | None = None,
    include_spans: bool = True,
    locations: list[str] | None = None,
) -> list[Trace]: ...
@overload
def search_traces(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    max_results: int | None = None,
    order_by: list[str] | None = None,
    extract_fields: list[str] | None = None,
    run_id: str | None = None,
    return_type: Literal["pandas", "list"] | None = None,
    model_id: str | None = None,
    sql_warehouse_id: str | None = None,
    include_spans: bool = True,
    locations: list[str] | None = None,
) -> Any: ...
def search_traces(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    max_results: int | None = None,
    order_by: list[str] | None = None,
    extract_fields: list[str] | None = None,
    run_id: str | None = None,
    return_type: Literal["pandas", "list"] | None = None,
    model_id: str | None = None,
    sql_warehouse_id: str | None = None,
    include_spans: bool = True,
    locations: list[str] | None = None,
) -> pandas.DataFrame | list[Trace]:
    """The traces that match a search expression.

    Args:
        experiment_ids: Deprecated: use `locations`.
        filter_string: The search expression; see the guide on the search language.
        max_results: How many at the most; all by default.
        order_by: Order clauses, e.g. `["timestamp_ms DESC"]`, which is the default.
        extract_fields: Deprecated: fields to make columns of, as "span.inputs", "span.outputs.field"; names with
            dots in backticks. For pandas only.
        run_id: Only traces that belong to this run.
        return_type: "pandas" for a DataFrame, a row a trace; "list" for a list of `Trace`. By default "pandas" where
            pandas is installed.
        model_id: Only traces that belong to this logged model.
        sql_warehouse_id: Ignored; Databricks only.
        include_spans: Whether to read the spans too.
        locations: The ids of the experiments to search; the active one by default.

    Raises:
        FilterError: the expression is malformed; the message points at the token.
        InvalidParameterError: an argument that is not allowed.
        NotFoundError: no such run.
        MissingExtraError: "pandas" is asked for and not installed.
    """
    if sql_warehouse_id is not None:
        warnings.warn("sql_warehouse_id is deprecated, and of no use here.", FutureWarning, stacklevel=2)
    if extract_fields:
        warnings.warn("extract_fields is deprecated; use Trace.search_spans instead.", FutureWarning, stacklevel=2)
    if return_type not in (None, "pandas", "list"):
        raise InvalidParameterError(f"return_type must be 'pandas' or 'list', not {return_type!r}")
    as_frame = return_type == "pandas" or (return_type is None and importlib.util.find_spec("pandas") is not None)
    if extract_fields and (isinstance(extract_fields, str) or not all(isinstance(one, str) for one in extract_fields)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"extract_fields must be a list of strings, not {extract_fields!r}")
    if extract_fields and not as_frame:
        raise InvalidParameterError("extract_fields is for return_type='pandas' only")
    where = experiments_to_search(experiment_ids, locations)
    store = settled_store()
    expression = scoped_filter(filter_string, run_id, model_id)
    traces = all_pages(
        lambda size, token: store.search_traces(
            where,
            filter_string=expression,
            order_by=order_by,
            max_results=size,
            page_token=token,
            include_spans=include_spans,
        ),
        max_results,
    )
    if run_id is not None and not traces:
        check_run(store, run_id, where)
    show(traces)
    return _to_frame(traces, extract_fields) if as_frame else traces


def show(traces: Sequence[Trace]) -> None:
    """Show traces in the notebook, if this is one."""
    if "IPython" in sys.modules:
        from otflow.tracing.notebook import show_after_cell

        show_after_cell(traces)


def search_sessions(
    max_results: int = 100,
    run_id: str | None = None,
    model_id: str | None = None,
    include_spans: bool = True,
    locations: list[str] | None = None,
) -> list[Session]:
    """Whole sessions: all traces that carry the same session id, oldest first in each.

    Args:
        max_results: How many sessions at the most.
        run_id: Only sessions with a trace that belongs to this run.
        model_id: Only sessions with a trace that belongs to this logged model.
        include_spans: Whether to read the spans too.
        locations: The ids of the experiments to search; the active one by default.

    Returns:
        The sessions, the one that began last first.

    Raises:
        InvalidParameterError: an argument that is not allowed.
    """
    where = experiments_to_search(None, locations)
    store = settled_store()
    expression = scoped_filter(f"metadata.`{Metadata.SESSION}` IS NOT NULL", run_id, model_id)
    ids: dict[str, None] = {}
    token: str | None = None
    while len(ids) < max_results:
        page = store.search_traces(
            where, filter_string=expression, max_results=PAGE_SIZE, page_token=token, include_spans=False
        )
        for trace in page:
            ids.setdefault(trace.info.trace_metadata[Metadata.SESSION])
        token = page.token
        if not token:
            break
    sessions: list[Session] = []
    for session_id in list(ids)[:max_results]:
        own = f"metadata.`{Metadata.SESSION}` = {quote(session_id)}"
        traces = all_pages(
            lambda size, token, own=own: store.search_traces(
                where,
                filter_string=own,
                order_by=["timestamp_ms ASC"],
                max_results=size,
                page_token=token,
                include_spans=include_spans,
            ),
            None,
        )
        if traces:
            sessions.append(Session(traces))
    sessions.sort(key=lambda session: session.traces[0].info.request_time, reverse=True)
    return sessions


# -- the parts of a search ---------------------------------------------------------------------------


def experiments_to_search(experiment_ids: Sequence[str] | None, locations: Sequence[str] | None) -> list[str]:
    """The experiments that a search is over; the active one where neither argument names any."""
    if experiment_ids:
        warnings.warn("experiment_ids is deprecated; use locations instead.", FutureWarning, stacklevel=3)
    if experiment_ids and locations:
        raise InvalidParameterError("give either locations or experiment_ids, not both; experiment_ids is deprecated")
    chosen = locations if locations is not None else experiment_ids
    if not chosen:
        return [context.experiment_id()]
    if isinstance(chosen, str):
        raise InvalidParameterError(f"locations must be a list, not a string; did you mean [{chosen!r}]?")
    wrong = [one for one in chosen if not (isinstance(one, str) and one.isdecimal())]  # pyright: ignore[reportUnnecessaryIsInstance]
    if wrong:
        raise InvalidParameterError(f"locations must be ids of experiments, numbers as strings; {wrong} are not")
    return list(chosen)


def scoped_filter(filter_string: str | None, run_id: str | None, model_id: str | None) -> str | None:
    """A search expression, narrowed to a run and to a logged model."""
    if filter_string is not None and not isinstance(filter_string, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"filter_string must be a string, not {type(filter_string).__name__}")
    parts = [filter_string.strip()] if filter_string and filter_string.strip() else []
    if run_id is not None:
        parts.append(f"attributes.run_id = {quote(run_id)}")
    if model_id is not None:
        parts.append(f"metadata.`{Metadata.MODEL_ID}` = {quote(model_id)}")
    return " AND ".join(parts) or None


def check_run(store: Store, run_id: str, where: Sequence[str]) -> None:
    """Say why a search for the traces of a run finds none, where that is the caller's mistake.

    Raises:
        NotFoundError: there is no such run.
        InvalidParameterError: the run is of an experiment that is not searched.
    """
    experiment_id = store.get_run(run_id).info.experiment_id
    if experiment_id not in where:
        raise InvalidParameterError(
            f"Run {run_id} belongs to experiment {experiment_id}, which is not in the list of locations provided:"
            f" {list(where)}. Please include experiment {experiment_id} in the `locations` parameter to search for"
            " traces from this run."
        )


def all_pages(
    fetch: Callable[[int, str | None], Page[_T]], max_results: int | None, page_size: int = PAGE_SIZE
) -> list[_T]:
    """The results of a search page by page, up to `max_results`."""
    results: list[_T] = []
    token: str | None = None
    while max_results is None or len(results) < max_results:
        left = page_size if max_results is None else min(page_size, max_results - len(results))
        page = fetch(left, token)
        results.extend(page)
        token = page.token
        if not token:
            break
    return results


def _to_frame(traces: list[Trace], extract_fields: Iterable[str] | None) -> pandas.DataFrame:
    try:
        import pandas
    except ImportError:
        raise MissingExtraError("pandas", "pandas", "search_traces(return_type='pandas')") from None
    columns = Trace.pandas_dataframe_columns()
    frame = pandas.DataFrame([trace.to_pandas_dataframe_row() for trace in traces], columns=columns)
    # Newer pandas would make plain strings of the states, which are an enumeration.
    frame["state"] = pandas.Series([trace.info.state for trace in traces], index=frame.index, dtype="object")
    for field in extract_fields or ():
        parsed = _parse_field(field)
        if parsed is not None:
            frame[field.replace("`", "")] = [_extract(trace, *parsed) for trace in traces]
    return frame


def _parse_field(field: str) -> tuple[str, str, str | None] | None:
    """`span.inputs`, `span.outputs.field`; None where it has not this form."""
    parts: list[str] = []
    rest = field
    while rest:
        if rest.startswith("`"):
            name, closed, rest = rest[1:].partition("`")
            if not closed or (rest and not rest.startswith(".")):
                return None
            parts.append(name)
            rest = rest[1:]
        else:
            name, _, rest = rest.partition(".")
            parts.append(name)
    if len(parts) not in (2, 3) or parts[1] not in {"inputs", "outputs"}:
        return None
    return parts[0], parts[1], parts[2] if len(parts) == 3 else None


def _extract(trace: Trace, span_name: str, side: str, key: str | None) -> Any:
    for span in trace.data.spans:
        if span.name == span_name:
            value = getattr(span, side)
            if key is None:
                return value
            return cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    return None
