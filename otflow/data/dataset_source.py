"""Where data comes from: what every kind of source has."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from otflow.errors import InvalidParameterError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DatasetSource"]


class DatasetSource(ABC):
    """Where the data of a dataset comes from. Kinds of your own are made known with `register_dataset_source`.

    The names of the methods are MLflow's, so that kinds made for it serve here too.
    """

    @staticmethod
    @abstractmethod
    def _get_source_type() -> str:
        """The kind, such as `"http"`: what stands in the record of a dataset."""

    @abstractmethod
    def load(self, *args: Any, **kwargs: Any) -> Any:
        """The data, or the path of the local file that it was brought to."""

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:  # noqa: ARG004
        """Whether what a caller gave as `source` means a source of this kind; never, where a kind does not say."""
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        """The source that it means."""
        raise InvalidParameterError(f"{raw_source!r} does not mean a {cls.__name__}: make one yourself")

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The source as a dictionary that JSON can hold."""

    def to_json(self) -> str:
        """The source as JSON text: what stands in the record of a dataset."""
        return json.dumps(self.to_dict())

    @classmethod
    @abstractmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> Self:
        """The source that `to_dict` described."""

    @classmethod
    def from_json(cls, source_json: str) -> Self:
        """The source that `to_json` described."""
        return cls.from_dict(json.loads(source_json))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_dict()!r})"
