"""Pages of results."""

from __future__ import annotations

import pickle

from otflow.entities import Page, PagedList


def test_is_a_list_with_a_token():
    page = Page([1, 2], "next")
    assert page == [1, 2]
    assert page.token == "next"
    assert page.to_list() == [1, 2]
    assert type(page.to_list()) is list
    assert Page().token is None
    assert PagedList is Page


def test_pickles():
    page = pickle.loads(pickle.dumps(Page([1, 2], "next")))
    assert (page, page.token) == ([1, 2], "next")
