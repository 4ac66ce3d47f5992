"""BM25, the ranking function of most full-text search engines (Robertson and Zaragoza, 2009)."""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

K1 = 1.2  # how soon further occurrences of a word stop to count
B = 0.75  # how much long texts are held back

STOPWORDS = """
    a an and are as at be between by can do does for from has have how i if in into is it its me my of on one or python
    some that the their them there this to use used using was what when where which who why will with you
"""
_STOPWORDS = frozenset(STOPWORDS.split())
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words(text: str) -> list[str]:
    """The words of a text, also those inside of `snake_case` and `CamelCase`, reduced to their stems."""
    return [stem(word) for word in (word.lower() for word in _WORD.findall(text)) if word not in _STOPWORDS]


def stem(word: str) -> str:
    """A word without its English ending, so that "merges", "merged" and "merging" meet "merge"."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


class Index:
    """Finds the texts that are about the words of a query.

    Args:
        texts: Pairs of an identifier and a text.
    """

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        self._ids: list[str] = []
        self._lengths: list[int] = []
        self._postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, (identifier, text) in enumerate(texts):
            counts = Counter(words(text))
            self._ids.append(identifier)
            self._lengths.append(counts.total())
            for word, count in counts.items():
                self._postings[word].append((number, count))
        self._mean_length = sum(self._lengths) / max(1, len(self._lengths))

    def __len__(self) -> int:
        return len(self._ids)

    def rarity(self, word: str) -> float:
        """How much a word tells: the fewer texts have it, the more (inverse document frequency)."""
        having = len(self._postings.get(word, ()))
        return math.log(1 + (len(self) - having + 0.5) / (having + 0.5))

    def search(self, query: str, limit: int) -> list[tuple[str, float]]:
        """The identifiers of the best texts with their scores, the best first."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word in set(words(query)):
            rarity = self.rarity(word)
            for number, count in self._postings.get(word, ()):
                length = self._lengths[number] / self._mean_length
                scores[number] += rarity * count * (K1 + 1) / (count + K1 * (1 - B + B * length))
        best = heapq.nsmallest(limit, scores.items(), key=lambda item: (-item[1], self._ids[item[0]]))
        return [(self._ids[number], score) for number, score in best]
