"""Schema 2: long values beside their spans, each stored once, and attachments.

`contents` holds texts as chains: a row is a piece of text and the piece before it (`parent`); its hash is that of the
whole text up to its end. So what many values begin with, as the calls of a chat do, is there once. `content_uses` says
which span needs which chain (`field`: the attribute), and which span or piece of text mentions which attachment.
"""

from __future__ import annotations

from otflow.store.sql.dialect import Dialect

NAME = "content"


def statements(dialect: Dialect) -> list[str]:
    """The statements that add these tables to schema 1."""
    text, binary = dialect.text, "BLOB" if dialect is Dialect.SQLITE else "BYTEA"
    # PostgreSQL compresses long texts itself; on SQLite body is a text, or a blob that zlib has compressed.
    body = "BLOB" if dialect is Dialect.SQLITE else text
    return [
        f"""CREATE TABLE contents (
            hash {text} PRIMARY KEY,
            parent {text},
            body {body} NOT NULL){dialect.clustered}""",
        "CREATE INDEX contents_by_parent ON contents (parent) WHERE parent IS NOT NULL",
        # owner is a trace, with a span of it, or the hash of a piece of text, with an empty span_id and field.
        f"""CREATE TABLE content_uses (
            owner {text} NOT NULL,
            span_id {text} NOT NULL,
            field {text} NOT NULL,
            hash {text} NOT NULL,
            PRIMARY KEY (owner, span_id, field, hash)){dialect.clustered}""",
        "CREATE INDEX content_uses_by_hash ON content_uses (hash)",
        f"""CREATE TABLE attachments (
            hash {text} NOT NULL,
            number BIGINT NOT NULL,
            data {binary} NOT NULL,
            PRIMARY KEY (hash, number))""",
    ]
