"""Schema 5: what was imported from MLflow, so that an import can be repeated.

A row is a thing of the source: `kind` and `id` are the source's, `target` is its id here. `marks` is a JSON object of
short digests of what the source said of it, by which the next import sees what was changed there, and what here.
"""

from __future__ import annotations

from otflow.store.sql.dialect import Dialect

NAME = "imports"


def statements(dialect: Dialect) -> list[str]:
    """The statements that add this table to schema 4."""
    text = dialect.text
    return [
        f"""CREATE TABLE imports (
            kind {text} NOT NULL,
            id {text} NOT NULL,
            target {text} NOT NULL,
            marks {text} NOT NULL,
            PRIMARY KEY (kind, id)){dialect.clustered}""",
    ]
