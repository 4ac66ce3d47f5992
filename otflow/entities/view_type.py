"""Whether a thing is active or deleted, and which of them a search is over."""

from __future__ import annotations

from otflow.errors import InvalidParameterError

__all__ = ["LifecycleStage", "ViewType"]


class LifecycleStage:
    """Whether a thing is active or deleted."""

    ACTIVE = "active"
    DELETED = "deleted"

    @classmethod
    def view_type_to_stages(cls, view_type: int = 3) -> list[str]:
        """The stages that a view shows; none for what is no view."""
        return {
            ViewType.ACTIVE_ONLY: [cls.ACTIVE],
            ViewType.DELETED_ONLY: [cls.DELETED],
            ViewType.ALL: [cls.ACTIVE, cls.DELETED],
        }.get(view_type, [])

    @classmethod
    def is_valid(cls, lifecycle_stage: object) -> bool:
        """Whether this is a stage."""
        return lifecycle_stage in (cls.ACTIVE, cls.DELETED)

    @classmethod
    def matches_view_type(cls, view_type: int, lifecycle_stage: str) -> bool:
        """Whether a view shows what is in this stage.

        Raises:
            InvalidParameterError: no such stage, or no such view.
        """
        if not cls.is_valid(lifecycle_stage):
            raise InvalidParameterError(f"Invalid lifecycle stage '{lifecycle_stage}'; allowed: 'active', 'deleted'")
        ViewType.to_string(view_type)
        return lifecycle_stage in cls.view_type_to_stages(view_type)


class ViewType:
    """Which stages a search is over."""

    ACTIVE_ONLY, DELETED_ONLY, ALL = 1, 2, 3

    _NAMES = {ACTIVE_ONLY: "active_only", DELETED_ONLY: "deleted_only", ALL: "all"}  # noqa: RUF012

    @classmethod
    def from_string(cls, view_str: str) -> int:
        """The view of this name.

        Raises:
            InvalidParameterError: no view has this name.
        """
        for number, name in cls._NAMES.items():
            if name == view_str:
                return number
        raise InvalidParameterError(f"{view_str!r} is not a view type; allowed: {list(cls._NAMES.values())}")

    @classmethod
    def to_string(cls, view_type: int) -> str:
        """The name of this view.

        Raises:
            InvalidParameterError: no such view.
        """
        if view_type not in cls._NAMES:
            raise InvalidParameterError(f"{view_type!r} is not a view type; allowed: {list(cls._NAMES)}")
        return cls._NAMES[view_type]
