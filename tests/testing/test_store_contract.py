"""The chapters of the contract, put together."""

from __future__ import annotations

from collections import Counter

from otflow.testing import StoreContract


def test_no_chapter_hides_a_test_of_another():
    names = Counter(
        name
        for chapter in StoreContract.__bases__
        for name in vars(chapter)
        if not name.startswith("_")
    )  # fmt: skip
    assert [name for name, count in names.items() if count > 1] == []
