"""Data of Hugging Face's hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from otflow.data.dataset_source import DatasetSource
from otflow.errors import MissingExtraError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["HuggingFaceDatasetSource"]


class HuggingFaceDatasetSource(DatasetSource):
    """What `datasets.load_dataset` is called with.

    Args:
        path: The dataset's name, or a path.
        config_name: Which configuration.
        data_dir: The directory of its files.
        data_files: Its files.
        split: Which split, such as `train`.
        revision: Which version.
        trust_remote_code: Whether code that comes with it may run.
    """

    def __init__(
        self,
        path: str | None,
        config_name: str | None = None,
        data_dir: str | None = None,
        data_files: str | Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
        split: Any = None,
        revision: Any = None,
        trust_remote_code: bool | None = None,
    ) -> None:
        self.path = path
        self.config_name = config_name
        self.data_dir = data_dir
        self.data_files = data_files
        self.split = split
        self.revision = revision
        self.trust_remote_code = trust_remote_code

    @staticmethod
    def _get_source_type() -> str:
        return "hugging_face"

    def load(self, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Load it with `datasets.load_dataset`.

        Args:
            **kwargs: Further arguments of that function.

        Returns:
            A `datasets.Dataset`, or a `DatasetDict` where no split is named.

        Raises:
            MissingExtraError: the package is not installed.
        """
        try:
            import datasets  # pyright: ignore[reportMissingTypeStubs]
        except ImportError:
            raise MissingExtraError("datasets", "huggingface", "loading a dataset of Hugging Face") from None
        arguments: dict[str, Any] = {
            "path": self.path,
            "name": self.config_name,
            "data_dir": self.data_dir,
            "data_files": self.data_files,
            "split": None if str(self.split) == "None" else self.split,
            "revision": self.revision,
        }
        if self.trust_remote_code is not None:
            arguments["trust_remote_code"] = self.trust_remote_code
        return cast("Any", datasets).load_dataset(**{**arguments, **kwargs})

    def to_dict(self) -> dict[str, Any]:
        """The source as a dictionary."""
        return {
            "path": self.path,
            "config_name": self.config_name,
            "data_dir": self.data_dir,
            "data_files": self.data_files,
            "split": str(self.split),  # MLflow's records have "None" where none is named
            "revision": None if self.revision is None else str(self.revision),
        }

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> Self:
        """The source that `to_dict` described."""
        return cls(**{"path": None, **{str(key): value for key, value in source_dict.items()}})
