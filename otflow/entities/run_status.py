"""The states of a run, and the kinds of source that a run comes from."""

from __future__ import annotations

__all__ = ["RunStatus", "SourceType"]


def _number(names: dict[str, int], what: str, name: object) -> int:
    if name not in names:
        raise Exception(  # noqa: TRY002  # as MLflow does
            f"Could not get run status corresponding to string {name}. Valid {what}: {list(names)}"
        )
    return names[str(name)]


def _name(names: dict[str, int], what: str, number: object) -> str:
    for name, known in names.items():
        if known == number:
            return name
    raise Exception(  # noqa: TRY002  # as MLflow does
        f"Could not get string corresponding to run status {number}. Valid {what}: {list(names.values())}"
    )


class RunStatus:
    """The states of a run, as numbers."""

    RUNNING, SCHEDULED, FINISHED, FAILED, KILLED = 1, 2, 3, 4, 5

    _NUMBERS = {  # noqa: RUF012
        "RUNNING": RUNNING,
        "SCHEDULED": SCHEDULED,
        "FINISHED": FINISHED,
        "FAILED": FAILED,
        "KILLED": KILLED,
    }

    @staticmethod
    def from_string(status_str: str) -> int:
        """The number of a state; raises `Exception` for an unknown one, as MLflow does."""
        return _number(RunStatus._NUMBERS, "run status strings", status_str)

    @staticmethod
    def to_string(status: int) -> str:
        """The name of a state; raises `Exception` for an unknown one, as MLflow does."""
        return _name(RunStatus._NUMBERS, "run statuses", status)

    @staticmethod
    def is_terminated(status: int) -> bool:
        """Whether a run in this state, given as a number, has ended."""
        return status in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)

    @staticmethod
    def all_status() -> list[int]:
        """The numbers of all states."""
        return list(RunStatus._NUMBERS.values())


class SourceType:
    """What a run was started from, as numbers."""

    NOTEBOOK, JOB, PROJECT, LOCAL, UNKNOWN = 1, 2, 3, 4, 5

    _NUMBERS = {  # noqa: RUF012
        "NOTEBOOK": NOTEBOOK,
        "JOB": JOB,
        "PROJECT": PROJECT,
        "LOCAL": LOCAL,
        "UNKNOWN": UNKNOWN,
    }

    @staticmethod
    def from_string(status_str: str) -> int:
        """The number of a kind; raises `Exception` for an unknown one, as MLflow does."""
        return _number(SourceType._NUMBERS, "run status strings", status_str)

    @staticmethod
    def to_string(status: int) -> str:
        """The name of a kind; raises `Exception` for an unknown one, as MLflow does."""
        return _name(SourceType._NUMBERS, "run statuses", status)
