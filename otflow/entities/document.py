"""What a retriever finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Document"]


@dataclass
class Document:
    """A document that a retriever found: what the outputs of a RETRIEVER span are a list of.

    Args:
        page_content: The text.
        metadata: Where it is from, how well it fits, and the like.
        id: Its id.
    """

    page_content: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    id: str | None = None

    @classmethod
    def from_langchain_document(cls, document: Any) -> Document:
        """The document that a LangChain document describes."""
        return cls(
            page_content=document.page_content, metadata=dict(document.metadata), id=getattr(document, "id", None)
        )

    @classmethod
    def from_llama_index_node_with_score(cls, node_with_score: Any) -> Document:
        """The document that a LlamaIndex node with its score describes."""
        metadata = {"score": node_with_score.get_score(), **node_with_score.metadata}
        return cls(page_content=node_with_score.get_content(), metadata=metadata, id=node_with_score.node_id)

    def to_dict(self) -> dict[str, Any]:
        """The document as a dictionary."""
        return asdict(self)
