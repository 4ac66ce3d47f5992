"""Long values, kept beside the spans: each text once, however many spans repeat it or begin with it.

The document of a span (`spans.content`) holds short values itself. A long one is replaced by its *pieces*: parts that
are kept as they are, and references to chains in the table `contents`. A chain ends at the end of a list's element or,
in what has no lists, at a fixed length; its hash is that of all its text. The messages of a chat's call number k are
the chain of call k - 1 and what came since: one row for each call. A list has a few chains, one for each of its
sections (`otflow.store.lists.sections`), so that little is stored anew where its beginning changes or is left out.

The document then begins with the member `moved`: `{"attributes": {key: pieces}, "events": pieces, "rows": pieces}`,
where `rows` is a list of the keys and values of further attributes: those that are the parts of messages.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from otflow.entities import Span
from otflow.entities.attachment import ATTACHMENT_URI
from otflow.entities.moved import Fetch, Pieces
from otflow.entities.values import clean_text, dump, load
from otflow.errors import NotFoundError
from otflow.store.attachments import Blob, extract
from otflow.store.lists import list_cuts, sections
from otflow.store.sql.connection import Database, Session
from otflow.store.sql.dialect import Dialect, values
from otflow.store.sql.statements import in_chunks, insert_rows, select_in

__all__ = [
    "Packed",
    "body_text",
    "collect",
    "delete_uses",
    "fetcher",
    "hashes_of",
    "joined",
    "pack",
    "preload",
    "read_attachment",
    "stored_body",
    "texts",
    "write",
]

LONG: Final = 2048
"""Characters from which on a value is looked at."""
_INLINE: Final = 32 * 1024
"""Characters of a text without lists that are kept in the span's own document."""
_LIST: Final = 1024
"""Characters from which on a list is worth a chain."""
_SCANNED: Final = 16 * 1024 * 1024
"""Characters up to which the lists of a value are looked for; a longer one is cut at fixed lengths."""
_NODE: Final = 1024
"""Characters from which on a piece of text is a row of its own: shorter ones share a row with what follows."""
_PIECE: Final = 512 * 1024
"""Characters of the longest row."""
_COMPRESSED: Final = 256
"""Characters from which on a row is compressed."""
_HASH_DIGITS: Final = 40
_ATTACHMENT_CHUNK: Final = 4 * 1024 * 1024
_LOOKED_FIRST: Final = 16
"""How many ends of each chain are looked up at once for all chains of a batch, from its end on."""
_LOOKED_NEXT: Final = 500
"""How many of one chain, where none of those is there."""
_ADVISORY_LOCK: Final = 0x07F1_0002


@dataclass(slots=True)
class Chain:
    """A text to be stored in pieces.

    Attributes:
        texts: Its pieces.
        hashes: For each piece, the hash of the text up to its end.
    """

    texts: list[str]
    hashes: list[str]


@dataclass(slots=True)
class Packed:
    """What is stored of a span with long values.

    Attributes:
        document: The span's document, with references.
        moved_bytes: The length of what is not in it.
        chains: The texts to store, with the attribute that they belong to.
        blobs: The attachments to store.
        mentions: Attribute and hash of the attachments that are named outside of the chains.
    """

    document: str
    moved_bytes: int
    chains: list[tuple[str, Chain]] = field(default_factory=list[tuple[str, Chain]])
    blobs: list[Blob] = field(default_factory=list[Blob])
    mentions: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])


# -- from a span to what is stored -------------------------------------------------------------------


def pack(span: Span) -> Packed | None:
    """The span with its long values moved out; None where it has none, as nearly always."""
    if not span.is_long(LONG):
        return None
    packing = _Packing()
    attributes: dict[str, Any] = {}
    moved: dict[str, Any] = {}
    rows = _message_rows(span.raw_attributes)
    row_text = dump(list(rows.items()))
    row_pieces = packing.value(ROWS, row_text)[1] if len(row_text) >= LONG else None
    if row_pieces is None:
        rows = {}
    for key, value in span.raw_attributes.items():
        if key in rows:
            continue
        attributes[key] = value
        if isinstance(value, str) and len(value) >= LONG:
            attributes[key], pieces = packing.value(key, value)
            if pieces is not None:
                attributes[key] = None
                moved[key] = pieces
    event_pieces: Pieces | None = None
    rest = span.rest()
    events = rest.get("events")
    if events:
        text = dump(events)
        if len(text) >= LONG:
            text, event_pieces = packing.value(EVENTS, text)
            if event_pieces is not None:
                del rest["events"]
            elif packing.blobs:
                rest["events"] = load(text)
    if not moved and event_pieces is None and row_pieces is None and not packing.mentions:
        return None
    found: dict[str, Any] = {}
    others = {"events": event_pieces, "rows": row_pieces}
    elsewhere = {"attributes": moved, **{name: pieces for name, pieces in others.items() if pieces is not None}}
    if len(elsewhere) > 1 or moved:
        found["moved"] = elsewhere
    if attributes:
        found["attributes"] = attributes
    return Packed(
        clean_text(dump({**found, **rest}), "\\\\"),
        packing.moved_bytes,
        packing.chains,
        packing.blobs,
        packing.mentions,
    )


EVENTS: Final = ""
"""The field of what a span's events hold."""
ROWS: Final = "*"
"""The field of the attributes that are the parts of messages."""

_MESSAGE_PART: Final = re.compile(
    r"(?:gen_ai\.(?:prompt|completion)|llm\.(?:input|output)_messages|\w+\.messages)\.\d+\."
)


def _message_rows(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that are parts of messages, of conventions that give each part an attribute of its own.

    Sources: OpenLLMetry (`gen_ai.prompt.0.content`), OpenInference (`llm.input_messages.0.message.content`).
    """
    if len(attributes) < _MANY_PARTS:
        return {}
    return {key: value for key, value in attributes.items() if _MESSAGE_PART.match(key) is not None}


_MANY_PARTS: Final = 24


class _Packing:
    def __init__(self) -> None:
        self.chains: list[tuple[str, Chain]] = []
        self.blobs: list[Blob] = []
        self.mentions: set[tuple[str, str]] = set()
        self.moved_bytes = 0

    def value(self, key: str, text: str) -> tuple[str, Pieces | None]:
        """A long text without attachments, and its pieces where it is moved out."""
        text, blobs = extract(text)
        self.blobs += blobs
        self.mentions.update((key, sha256) for sha256 in _mentioned(text))
        if "\0" in text:
            return text, None  # no text of PostgreSQL holds that; within JSON it is escaped
        text = clean_text(text)
        pieces: Pieces = []
        start = 0
        for begin, cuts in list_cuts(text) if LONG <= len(text) <= _SCANNED else ():
            if cuts[-1] - begin >= _LIST:
                self._literal(key, text[start:begin], pieces)
                for first, ends in sections(text, begin, cuts):
                    self._chain(key, text, first, ends, pieces)
                start = cuts[-1]
        self._literal(key, text[start:], pieces)
        return text, pieces if any(not isinstance(piece, str) for piece in pieces) else None

    def _literal(self, key: str, text: str, pieces: Pieces) -> None:
        if len(text) <= _INLINE:
            pieces.append(text)
        else:
            self._chain(key, text, 0, [len(text)], pieces)

    def _chain(self, key: str, text: str, begin: int, cuts: Sequence[int], pieces: Pieces) -> None:
        running = hashlib.sha256()
        texts: list[str] = []
        hashes: list[str] = []
        for cut in cuts:
            while begin < cut:
                end = min(cut, begin + _PIECE)
                piece = text[begin:end]
                encoded = piece.encode()
                running.update(encoded)
                self.moved_bytes += len(encoded)
                # What a piece names, the piece keeps.
                self.mentions.difference_update((key, sha256) for sha256 in _mentioned(piece))
                texts.append(piece)
                hashes.append(running.hexdigest()[:_HASH_DIGITS])
                begin = end
        self.chains.append((key, Chain(texts, hashes)))
        pieces.append([hashes[-1], sum(map(len, texts))])


# -- writing -----------------------------------------------------------------------------------------

Use: TypeAlias = tuple[str, str, str, str]
"""Owner, span id, field, hash."""


def lock(session: Session, *, shared: bool) -> None:
    """Keep what is found in `contents` from being deleted meanwhile; SQLite has one writer anyway."""
    if session.dialect is Dialect.POSTGRESQL:
        session.all(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}(?)", (_ADVISORY_LOCK,))


def write(session: Session, spans: Sequence[tuple[str, str, Packed]]) -> None:
    """Store what was moved out of spans.

    Args:
        session: A transaction.
        spans: Trace id, span id and what was packed.
    """
    lock(session, shared=True)
    nodes = _Nodes(session, [chain for _, _, packed in spans for _, chain in packed.chains])
    uses: set[Use] = set()
    blobs: dict[str, bytes] = {}
    for trace_id, span_id, packed in spans:
        blobs.update(packed.blobs)
        uses.update((trace_id, span_id, key, sha256) for key, sha256 in packed.mentions)
        for key, chain in packed.chains:
            uses.add((trace_id, span_id, key, chain.hashes[-1]))
            nodes.add(chain)
    for key in sorted(nodes.rows):  # one by one: a row may be long, and a statement holds all of its rows
        parent, text = nodes.rows[key]
        session.run(
            "INSERT INTO contents (hash, parent, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (key, parent, stored_body(text, session.dialect)),
        )
        uses.update((key, "", "", sha256) for sha256 in _mentioned(text))
    _write_blobs(session, blobs)
    insert_rows(
        session,
        "INSERT INTO content_uses (owner, span_id, field, hash) VALUES {} ON CONFLICT DO NOTHING",
        sorted(uses),
    )


class _Nodes:
    """The rows that chains need beside those that are there.

    Args:
        session: A transaction.
        chains: All chains that will be added.
    """

    def __init__(self, session: Session, chains: Sequence[Chain]) -> None:
        self._session = session
        self._looked: set[str] = set()
        self._known: set[str] = set()
        self.rows: dict[str, tuple[str | None, str]] = {}
        """Parent and text, by hash."""
        self._look({one for chain in chains for one in chain.hashes[-_LOOKED_FIRST:]})

    def _look(self, hashes: set[str]) -> None:
        fresh = sorted(hashes - self._looked)
        self._looked.update(fresh)
        self._known.update(
            row[0] for row in select_in(self._session, "SELECT hash FROM contents WHERE hash IN {}", fresh)
        )

    def add(self, chain: Chain) -> None:
        """Add what is not there of a chain to the rows."""
        start = self._longest(chain.hashes)
        parent = chain.hashes[start - 1] if start else None
        texts: list[str] = []
        length = 0
        for index in range(start, len(chain.texts)):
            text = chain.texts[index]
            texts.append(text)
            length += len(text)
            following = chain.texts[index + 1] if index + 1 < len(chain.texts) else None
            # Long pieces stand alone, so that other chains can begin with what is before them.
            if following is None or length >= _NODE or len(following) >= _NODE:
                key = chain.hashes[index]
                self.rows[key] = (parent, "".join(texts))
                self._known.add(key)
                parent, texts, length = key, [], 0

    def _longest(self, hashes: Sequence[str]) -> int:
        """How many pieces of a chain are there already."""
        end = len(hashes)
        while end > 0:
            begin = max(0, end - _LOOKED_NEXT)
            for index in range(end - 1, begin - 1, -1):
                if hashes[index] not in self._looked and hashes[index] not in self._known:
                    self._look(set(hashes[begin : index + 1]))
                if hashes[index] in self._known:
                    return index + 1
            end = begin
        return 0


def stored_body(text: str, dialect: Dialect) -> object:
    """The text as a row of `contents` holds it; `body_text` is the way back."""
    if dialect is Dialect.SQLITE and len(text) >= _COMPRESSED:
        packed = zlib.compress(text.encode(), 1)
        if len(packed) < len(text):
            return packed
    return text


def _mentioned(text: str) -> set[str]:
    """The hashes of the attachments that a text names."""
    return {match[1] for match in ATTACHMENT_URI.finditer(text)} if "otflow-attachment:" in text else set()


def _write_blobs(session: Session, blobs: Mapping[str, bytes]) -> None:
    there = {
        row[0]
        for row in select_in(session, "SELECT hash FROM attachments WHERE number = 0 AND hash IN {}", sorted(blobs))
    }
    for sha256 in sorted(set(blobs) - there):
        data = memoryview(blobs[sha256])
        for number, start in enumerate(range(0, max(1, len(data)), _ATTACHMENT_CHUNK)):
            session.run(
                "INSERT INTO attachments (hash, number, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (sha256, number, bytes(data[start : start + _ATTACHMENT_CHUNK])),
            )


# -- reading -----------------------------------------------------------------------------------------


def body_text(body: str | bytes) -> str:
    """The text of a row of `contents`; also the SQL function `otflow_text` of SQLite connections."""
    return body if isinstance(body, str) else zlib.decompress(body).decode()


def texts(session: Session, hashes: Iterable[str]) -> dict[str, str]:
    """The whole texts of chains, by hash; those that are gone are left out."""
    wanted = sorted(set(hashes))
    nodes: dict[str, tuple[str | None, str]] = {}
    for parent, key, body in select_in(session, _ANCESTORS, wanted):
        nodes[key] = (parent, body_text(body))
    found: dict[str, str] = {}
    for key in wanted:
        pieces: list[str] = []
        at: str | None = key
        while at is not None and at in nodes:
            parent, text = nodes[at]
            pieces.append(text)
            at = parent
        if pieces:
            found[key] = "".join(reversed(pieces))
    return found


_WALK: Final = (
    # UNION, not UNION ALL: what chains have in common is walked once.
    "WITH RECURSIVE chain (hash, parent) AS ("
    "SELECT hash, parent FROM contents WHERE hash IN {} UNION"
    " SELECT c.hash, c.parent FROM chain JOIN contents c ON c.hash = chain.parent)"
)
_ANCESTORS: Final = _WALK + " SELECT c.parent, c.hash, c.body FROM chain JOIN contents c ON c.hash = chain.hash"
_ANCESTOR_KEYS: Final = _WALK + " SELECT hash, parent FROM chain"


def hashes_of(pieces: Pieces) -> list[str]:
    """The chains that a text needs."""
    return [piece[0] for piece in pieces if not isinstance(piece, str)]


def joined(pieces: Pieces, found: Mapping[str, str]) -> str:
    """The text of pieces.

    Raises:
        NotFoundError: a part of it was deleted.
    """
    try:
        return "".join(piece if isinstance(piece, str) else found[piece[0]] for piece in pieces)
    except KeyError:
        raise NotFoundError("this part of the span's content was deleted from the store") from None


def fetcher(database: Database) -> Fetch:
    """Reads texts from a database when they are asked for."""

    def fetch(pieces: Pieces) -> str:
        with database.read() as session:
            return joined(pieces, texts(session, hashes_of(pieces)))

    return fetch


_PRELOADED: Final = 1024 * 1024
"""Characters of the spans of one page that are read together with them; what is more, when it is asked for."""


def preload(session: Session, spans: Sequence[Span]) -> None:
    """Read what is elsewhere of spans, as far as it is little."""
    wanted: dict[str, int] = {}
    room = _PRELOADED
    chosen: list[Span] = []
    for span in spans:
        pieces = span.moved()
        sizes = {piece[0]: int(piece[1]) for one in pieces for piece in one if not isinstance(piece, str)}
        room -= sum(sizes.values())
        if room < 0:
            break
        wanted.update(sizes)
        chosen.append(span)
    found = texts(session, wanted)
    for span in chosen:
        span.settle(lambda pieces: joined(pieces, found))


_OWNER: Final = """
WITH RECURSIVE links (below, above) AS (
    SELECT hash, owner FROM content_uses UNION ALL SELECT parent, hash FROM contents WHERE parent IS NOT NULL
), users (name) AS (
    SELECT above FROM links WHERE below = ? UNION SELECT l.above FROM users u JOIN links l ON l.below = u.name
)
SELECT 1 FROM users u JOIN traces t ON t.trace_id = u.name JOIN experiments e ON e.experiment_id = t.experiment_id
WHERE e.workspace = ? LIMIT 1
"""
"""Whether a trace of a workspace needs a content: itself, or through contents that need it."""


def read_attachment(session: Session, sha256: str, workspace: str) -> bytes | None:
    """The bytes of an attachment; None where no trace of the workspace has it."""
    shared = session.one("SELECT 1 FROM workspaces WHERE name <> ? LIMIT 1", (workspace,)) is not None
    if shared and session.one(_OWNER, (sha256, workspace)) is None:
        return None
    rows = session.all("SELECT data FROM attachments WHERE hash = ? ORDER BY number", (sha256,))
    return b"".join(row[0] for row in rows) if rows else None


# -- deleting ----------------------------------------------------------------------------------------


def delete_uses(session: Session, trace_ids: Sequence[str]) -> set[str]:
    """Forget what traces need; the hashes of what may have become useless."""
    gone: set[str] = set()
    for chunk in in_chunks(trace_ids, 1):
        where = f"owner IN {values(len(chunk), 1)}"
        gone.update(row[0] for row in session.all(f"SELECT DISTINCT hash FROM content_uses WHERE {where}", chunk))
        session.run(f"DELETE FROM content_uses WHERE {where}", chunk)
    return gone


def collect(session: Session, candidates: set[str] | None = None) -> int:
    """Delete texts and attachments that nothing needs; how many rows of `contents` and attachments these were.

    Args:
        session: A transaction.
        candidates: What may have become useless; all there is by default.
    """
    lock(session, shared=False)
    if candidates is None:
        ends = session.all(
            "SELECT c.hash FROM contents c WHERE NOT EXISTS (SELECT 1 FROM contents d WHERE d.parent = c.hash)"
            " UNION SELECT DISTINCT hash FROM attachments"
        )
        candidates = {row[0] for row in ends}
    dead = _dead(session, sorted(candidates))
    freed = delete_uses(session, dead) if dead else set[str]()
    _delete(session, "contents", dead)
    blobs = sorted(one for one in candidates | freed if len(one) == 64)
    used = _used(session, blobs)
    unused = [one for one in blobs if one not in used]
    _delete(session, "attachments", unused)
    return len(dead) + len(unused)


def _dead(session: Session, candidates: Sequence[str]) -> list[str]:
    """The rows of `contents` that nothing needs, among the candidates and what they begin with."""
    parents: dict[str, str | None] = dict(select_in(session, _ANCESTOR_KEYS, candidates))
    keys = sorted(parents)
    used = _used(session, keys)
    following: dict[str, set[str]] = {}
    for parent, key in select_in(session, "SELECT parent, hash FROM contents WHERE parent IN {}", keys):
        following.setdefault(parent, set()).add(key)
    dead: list[str] = []
    todo = [key for key in keys if not following.get(key)]
    while todo:
        key = todo.pop()
        if key in used or following.get(key):
            continue
        dead.append(key)
        parent = parents[key]
        if parent is not None and parent in parents:
            following[parent].discard(key)
            if not following[parent]:
                todo.append(parent)
    return dead


def _used(session: Session, hashes: Sequence[str]) -> set[str]:
    return {row[0] for row in select_in(session, "SELECT DISTINCT hash FROM content_uses WHERE hash IN {}", hashes)}


def _delete(session: Session, table: str, hashes: Sequence[str]) -> None:
    for chunk in in_chunks(hashes, 1):
        session.run(f"DELETE FROM {table} WHERE hash IN {values(len(chunk), 1)}", chunk)
