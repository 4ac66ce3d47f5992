"""Dictionaries that are to become entities, and what is said where they cannot."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from otflow.errors import InvalidParameterError

__all__ = ["reading"]


@contextmanager
def reading(what: str, data: object) -> Generator[None]:
    """Turn what is raised while an entity is made from a dictionary into an error that says what is wrong with it.

    Args:
        what: The name of the entity's class.
        data: The dictionary.

    Raises:
        InvalidParameterError: `data` is no dictionary, a member is missing, or one is not what it should be.
    """
    try:
        if not isinstance(data, Mapping):
            raise TypeError(f"expected a dictionary, got {type(data).__name__}")
        yield
    except InvalidParameterError:
        raise
    except KeyError as error:
        problem = f"{error} is missing"
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        problem = str(error)
    else:
        return
    article = "an" if what[0] in "AEIOU" else "a"
    raise InvalidParameterError(f"Failed to create {article} {what} object from the given dictionary: {problem}")
