"""What entities that are nothing but fields have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from otflow.entities.reading import reading

__all__ = ["PlainEntity", "texts"]

_E = TypeVar("_E", bound="PlainEntity")


def texts(values: Mapping[Any, Any]) -> dict[str, str]:
    """Tags or metadata, whatever is in them, as the texts that they are once stored."""
    return {str(key): value if isinstance(value, str) else str(value) for key, value in values.items()}


class PlainEntity:
    """Equality, text and dictionary form by the fields that a subclass names.

    They are set once, by its constructor, but for those that it names settable.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _settable: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def from_dictionary(cls: type[_E], the_dict: Mapping[str, Any]) -> _E:
        """The entity that a dictionary of its fields describes.

        Raises:
            InvalidParameterError: a field is missing.
        """
        with reading(cls.__name__, the_dict):
            return cls(**{field: the_dict[field] for field in cls._fields if field in the_dict})

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__ and name not in self._settable:
            raise AttributeError(f"{type(self).__name__}.{name} cannot be set")
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for field in self._fields:
            yield field, getattr(self, field)

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(value for _, value in self if not isinstance(value, (dict, list))))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(f'{field}={value!r}' for field, value in self)}>"
