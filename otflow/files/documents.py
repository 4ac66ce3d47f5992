"""Values as JSON or YAML files."""

from __future__ import annotations

import json
from typing import Any, cast

from otflow.errors import InvalidParameterError, MissingExtraError

__all__ = ["document"]


def document(value: Any, path: str) -> bytes:
    """A value as the content of a file: YAML where its name says so, else JSON.

    Args:
        value: What the format can say; numpy's numbers and arrays too. Whatever else is in it is written as its text.
        path: The name of the file.

    Raises:
        InvalidParameterError: the value holds itself, or a dictionary in it has keys that JSON cannot say.
        MissingExtraError: PyYAML is needed and not installed.
    """
    if path.endswith((".yaml", ".yml")):
        return _yaml(value)
    try:
        return json.dumps(value, indent=2, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidParameterError(f"the value for {path!r} cannot be written as JSON: {error}") from error


def _plain(value: Any) -> Any:
    """What JSON and YAML can say instead of something that they cannot."""
    if type(value).__module__ == "numpy" and callable(getattr(value, "tolist", None)):
        return value.tolist()
    return str(value)


def _yaml(value: Any) -> bytes:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("PyYAML", "yaml", "Writing YAML") from error

    class Dumper(yaml.SafeDumper):
        """Dates, bytes and sets are YAML's own; no tag of Python's gets into a file."""

    def represent(dumper: Any, data: Any) -> Any:
        # Subclasses of what YAML can say, such as enumerations and named tuples, are said as what they are made of.
        if isinstance(data, str):
            return dumper.represent_str(str.__str__(data))
        for kind in (bool, int, float, dict, list, tuple):
            if isinstance(data, kind):
                return dumper.represent_data(cast("Any", kind)(data))
        return dumper.represent_data(_plain(data))

    Dumper.add_multi_representer(object, represent)
    try:
        return cast("Any", yaml).dump(value, Dumper=Dumper, default_flow_style=False).encode()
    except (TypeError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InvalidParameterError(f"the value cannot be written as YAML: {error}") from error
