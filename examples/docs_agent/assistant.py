"""The agent: plans, retrieves, uses tools and asks the model, and every step of it is a span."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

import otflow
from otflow.entities import Document, SpanType

from . import model, tools
from .library import Library
from .planner import Plan, make_plan
from .retrieval import Index, words

RETRIEVED = 8  # documents from each index
KEPT = 4  # documents in a prompt
RANKING_WEIGHTS = (1.0, 2.0, 0.5)  # of the searches by name, in docstrings and in topics
EXAMPLES = 2  # examples of a docstring that are run
TOOL_ERRORS = (
    *(ImportError, AttributeError, TypeError, ValueError, OSError),
    *(tools.NotAllowedError, tools.EvaluationError),
)


@dataclass
class Conversation:
    """Questions that belong together, and what they were about.

    Args:
        library: Where answers come from.
        session: Identifies the conversation; its traces are found by it.
        user: Who asks.
        tags: Tags for the traces.
        on_text: Called with each piece of an answer as it is made.
        topic: What the last question was about.
        trace_id: The trace of the last question; None where tracing is disabled.
    """

    library: Library
    session: str
    user: str
    tags: dict[str, str] = field(default_factory=dict)
    on_text: Callable[[str], object] | None = None
    topic: str | None = None
    trace_id: str | None = None

    @otflow.trace(name="answer", span_type=SpanType.AGENT)
    async def answer(self, question: str) -> str:
        """Answer a question from the documents."""
        self.trace_id = otflow.get_active_trace_id()
        otflow.update_current_trace(
            tags=self.tags,
            metadata={"mlflow.trace.session": self.session, "mlflow.trace.user": self.user},
        )
        plan = self.plan(question, self.topic)
        found = await asyncio.gather(*(self.research(search, name) for search, name in plan.searches))
        documents = in_turns(found)[:KEPT]
        findings = await asyncio.to_thread(self.use_tools, plan, documents)
        pieces: list[str] = []
        async for piece in model.chat(model.make_prompt(question, documents, findings)):
            if self.on_text:
                self.on_text(piece)
            pieces.append(piece)
        if documents:
            self.topic = documents[0].metadata["doc_uri"]
        return "".join(pieces)

    @otflow.trace(span_type=SpanType.CHAIN)
    def plan(self, question: str, topic: str | None) -> Plan:
        """Decide what to search for, and which tools to use."""
        return make_plan(question, topic)

    # -- retrieval

    @otflow.trace(span_type=SpanType.CHAIN)
    async def research(self, query: str, name: str | None) -> list[Document]:
        """Search all indexes at the same time, and rank what they find."""
        found = await asyncio.gather(
            self.search_names(name or query),
            self.search_docstrings(query),
            self.search_topics(query),
        )
        return self.rerank(query, name, found)

    @otflow.trace(span_type=SpanType.RETRIEVER)
    async def search_names(self, query: str) -> list[Document]:
        """What has this very name comes first, if there is any such thing."""
        named = self.library.named(query)
        similar = await self.search(self.library.names, query)
        return [*named, *(document for document in similar if document not in named)][:RETRIEVED]

    @otflow.trace(span_type=SpanType.RETRIEVER)
    async def search_docstrings(self, query: str) -> list[Document]:
        return await self.search(self.library.docstrings, query)

    @otflow.trace(span_type=SpanType.RETRIEVER)
    async def search_topics(self, query: str) -> list[Document]:
        return await self.search(self.library.topics, query)

    async def search(self, index: Index, query: str) -> list[Document]:
        best = await asyncio.to_thread(index.search, query, RETRIEVED)
        return [self.library.documents[identifier] for identifier, _ in best]

    @otflow.trace(span_type=SpanType.RERANKER)
    def rerank(self, query: str, name: str | None, found: Sequence[list[Document]]) -> list[Document]:
        """What is named comes first; then what stands high in the searches and has most words of the query."""
        candidates = {document.id: document for document in chain(*found)}
        asked = {word: self.library.docstrings.rarity(word) for word in words(query)}
        places: defaultdict[str, float] = defaultdict(float)
        for weight, documents in zip(RANKING_WEIGHTS, found, strict=True):
            for place, document in enumerate(documents):
                places[document.id] += weight / (2 + place)
        total = sum(asked.values()) or 1
        named = [document.id for document in self.library.named(name)] if name else []

        def fitness(document: Document) -> tuple[bool, float]:
            own = set(words(f"{document.id} {document.page_content}"))
            covered = sum(rarity for word, rarity in asked.items() if word in own) / total
            return document.id in named, places[document.id] + covered

        return sorted(candidates.values(), key=fitness, reverse=True)[:KEPT]

    # -- tools

    def use_tools(self, plan: Plan, documents: list[Document]) -> list[tuple[str, str]]:
        """What the tools of the plan find; a tool that fails is tried again with the next guess."""
        findings: list[tuple[str, str]] = []
        for expression in plan.expressions:
            findings += self.attempt("run_expression", [(expression, None)])
        for name in plan.names or [document.metadata["doc_uri"] for document in documents[:1]]:
            guesses = self.places_of(name, documents)
            if "lookup_signature" in plan.tools:
                findings += self.attempt("lookup_signature", guesses)
            if "read_source" in plan.tools:
                findings += self.attempt("read_source", guesses)
        if "run_examples" in plan.tools and documents:
            module = documents[0].metadata.get("module")
            for expression in tools.examples_in(documents[0].page_content, EXAMPLES):
                findings += self.attempt("run_expression", [(expression, module)])
        return findings

    def attempt(self, tool: str, guesses: Sequence[tuple[str, str | None]]) -> list[tuple[str, str]]:
        """The tool's result for the first arguments with which it works."""
        for arguments in guesses:
            try:
                return [(tool, getattr(tools, tool)(*arguments))]
            except TOOL_ERRORS:
                continue  # the failed call is a span of the trace
        return []

    def places_of(self, name: str, documents: list[Document]) -> list[tuple[str, str]]:
        """Where a name may be defined, as module and name: where the question says, then where documents say."""
        known = self.library.documents.get(name)
        if known is not None and known.metadata["kind"] != "topic":
            return [split_name(known)]
        module, _, rest = name.rpartition(".")
        last = f".{rest}"
        found = [split_name(document) for document in documents if document.metadata["doc_uri"].endswith(last)]
        return list(dict.fromkeys([(module or "builtins", rest), *found]))


def split_name(document: Document) -> tuple[str, str]:
    """The module of what a document describes, and its name there."""
    module = document.metadata["module"]
    return module, document.metadata["doc_uri"].removeprefix(module).lstrip(".")


def in_turns(rankings: list[list[Document]]) -> list[Document]:
    """The best of each ranking, then the second best of each, and so on."""
    documents = chain(*zip_longest(*rankings))
    return list({document.id: document for document in documents if document is not None}.values())
