"""Three-way merges: whatever changes, nothing that was made here is lost, and nothing of the source is missed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otflow.migration.merging import marks, merge

VALUES = st.dictionaries(
    st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, 3), st.sampled_from(["", "0", "x"]))
)


def merged(before: object, source: dict[str, object], target: dict[str, object]) -> dict[str, object]:
    changes = merge(before, source, target)  # type: ignore[arg-type]
    return {key: value for key, value in {**target, **changes.put}.items() if key not in changes.drop}


@given(VALUES, VALUES)
def test_a_target_that_nobody_changed_becomes_the_source(before: dict[str, object], source: dict[str, object]) -> None:
    assert merged(marks(before), source, dict(before)) == source  # type: ignore[arg-type]


@given(VALUES, VALUES)
def test_a_source_that_nobody_changed_changes_nothing(before: dict[str, object], target: dict[str, object]) -> None:
    assert merged(marks(before), dict(before), target) == target  # type: ignore[arg-type]


@given(VALUES, VALUES, VALUES)
def test_what_was_changed_here_stays(
    before: dict[str, object], source: dict[str, object], target: dict[str, object]
) -> None:
    found = merged(marks(before), source, target)  # type: ignore[arg-type]
    for key in {*before, *target}:
        changed = key in before if key not in target else key not in before or before[key] != target[key]
        if changed:
            assert found.get(key, ...) == target.get(key, ...)


@given(VALUES, VALUES)
def test_a_first_import_only_adds(source: dict[str, object], target: dict[str, object]) -> None:
    assert merged(None, source, target) == {**source, **target}


@given(VALUES, VALUES)
def test_the_second_time_there_is_nothing_to_do(source: dict[str, object], target: dict[str, object]) -> None:
    once = merged(None, source, target)
    changes = merge(marks(source), source, once)  # type: ignore[arg-type]
    assert not changes
    assert changes.kept == []
