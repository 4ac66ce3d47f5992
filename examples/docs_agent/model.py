"""A chat model that needs no network: it answers with the sentences of its prompt that fit the question best.

It stands where an application calls a language model, and is traced in the same way: chat messages in, a stream of
text out, the tokens counted.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import otflow
from otflow.entities import Document, SpanType

from .retrieval import words

MODEL = "extractive-1"
PROVIDER = "docs_agent"
SENTENCES = 2
SYSTEM_PROMPT = (
    f"Answer with what the tools found, and with the {SENTENCES} sentences of the documents that answer the question "
    "best. Add nothing. Name the document behind each sentence."
)
Message = dict[str, str]

_SECTION = re.compile(r"^### (document|tool|question) ?(.*)\n", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?:])\s+(?=[A-Z\"'(*`])")
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Sentence:
    """A sentence and where it stands."""

    text: str
    source: str
    document: int
    position: int


def make_prompt(question: str, documents: list[Document], findings: list[tuple[str, str]]) -> list[Message]:
    """The messages that ask the model a question.

    Args:
        question: The question.
        documents: What was retrieved, the best first.
        findings: What tools found: the tool's name and its result.
    """
    sections = [f"### document {document.id}\n{document.page_content}\n" for document in documents]
    sections += [f"### tool {tool}\n{result}\n" for tool, result in findings]
    sections.append(f"### question\n{question}\n")
    return [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": "\n".join(sections)}]


def joined(pieces: list[str]) -> Message:
    """The pieces of a stream as the one message they make."""
    return {"role": "assistant", "content": "".join(pieces)}


@otflow.trace(name="chat", span_type=SpanType.CHAT_MODEL, output_reducer=joined)
async def chat(messages: list[Message]) -> AsyncIterator[str]:
    """Answer word by word."""
    answer = complete(messages[-1]["content"])
    for piece in re.findall(r"\S+\s*", answer):
        await asyncio.sleep(0)
        yield piece
    span = otflow.get_current_active_span()
    if span is not None:  # tracing may be disabled
        span.set_attributes(
            {
                "mlflow.llm.model": MODEL,
                "mlflow.llm.provider": PROVIDER,
                "mlflow.chat.tokenUsage": token_usage(messages, answer),
            }
        )


def token_usage(messages: list[Message], answer: str) -> dict[str, int]:
    """The tokens of a call, counted as this model sees them: words and punctuation marks."""
    given = sum(len(_TOKEN.findall(message["content"])) for message in messages)
    made = len(_TOKEN.findall(answer))
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}


def complete(prompt: str) -> str:
    """The answer to a prompt: the findings and sentences, each with its source in brackets at the end of its line."""
    parts = _SECTION.split(prompt)[1:]
    sections = list(zip(parts[0::3], parts[1::3], parts[2::3], strict=True))
    question = " ".join(text for kind, _, text in sections if kind == "question")
    documents = [(name, text) for kind, name, text in sections if kind == "document"]
    lines = [f"{text.strip()} [tool: {name}]" for kind, name, text in sections if kind == "tool"]
    chosen = best_sentences(question, [s for n, (name, text) in enumerate(documents) for s in sentences(text, name, n)])
    lines += [f"{sentence.text} [{sentence.source}]" for sentence in chosen]
    return "\n".join(lines) or "The documents do not say."


def sentences(text: str, source: str = "", document: int = 0) -> list[Sentence]:
    """The sentences of a document; its heading, its examples, tables and grammar are left out."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text)[1:]:
        if not paragraph.lstrip().startswith((">>>", "+-", "==")) and "::=" not in paragraph:
            found += _SENTENCE_END.split(" ".join(paragraph.split(">>>")[0].split()))
    proper = [sentence for sentence in found if len(words(sentence)) >= 3]
    return [Sentence(sentence, source, document, position) for position, sentence in enumerate(proper)]


def best_sentences(question: str, candidates: list[Sentence]) -> list[Sentence]:
    """The sentences that share most with the question, early ones of good documents before others."""
    asked = set(words(question))
    occurrences = Counter(word for sentence in candidates for word in set(words(sentence.text)))

    def score(sentence: Sentence) -> float:
        own = set(words(sentence.text)) | set(words(sentence.source))
        shared = sum(1 / (1 + math.log(occurrences.get(word, 1))) for word in asked & own)
        return shared / (1 + sentence.document) ** 0.5 / (1 + 0.2 * sentence.position)

    best = sorted(candidates, key=score, reverse=True)[:SENTENCES]
    fitting = [sentence for sentence in best if score(sentence) > 0]
    return sorted(fitting, key=lambda sentence: (sentence.document, sentence.position))
