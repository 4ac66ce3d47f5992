"""What a search asks of the database: made by `filters`, run by `searching` and `experiments`."""

from __future__ import annotations

from dataclasses import dataclass

from otflow.store.sql.keyset import OrderKey

__all__ = ["Query"]


@dataclass(frozen=True, slots=True)
class Query:
    """A condition and an order, in SQL.

    Conditions and orders speak of the table by its alias: `t` for `traces`, `e` for `experiments`.

    Attributes:
        where: The condition; empty where everything matches.
        parameters: What stands for the `?` in `where`, in order.
        order: The keys of the order; the last one (or last ones) make it total: no two rows are equal in all.
        terms: For traces: pairs (field, value), as `otflow.store.sql.terms` has them, that every
            match has. They follow from the condition, and lead to the matches; any subset does.
        columns: For traces: pairs (column, value) that follow from the condition in the same way: `state`, `name`, and
            `run_id`, which stands for all runs of a trace.
    """

    where: str
    parameters: tuple[object, ...]
    order: tuple[OrderKey, ...]
    terms: tuple[tuple[str, str], ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
