"""The error family of otflow: one base class, one subclass per kind of trouble a caller can act on.

```
OtflowError                     any failure that otflow reports     500 INTERNAL_ERROR
├── InvalidParameterError       an argument is not allowed          400 INVALID_PARAMETER_VALUE
│   ├── ArgumentTypeError       an argument is of a wrong type      400 INVALID_PARAMETER_VALUE
│   └── FilterError             a search expression is malformed    400 INVALID_PARAMETER_VALUE
├── NotFoundError               the named thing does not exist      404 RESOURCE_DOES_NOT_EXIST
│   └── MissingFileError        a file does not exist               404 RESOURCE_DOES_NOT_EXIST
├── AlreadyExistsError          the name is taken                   400 RESOURCE_ALREADY_EXISTS
├── InvalidStateError           the thing is not in a state for it  500 INVALID_STATE
├── ExecutionError              a project cannot run, or failed     500 INTERNAL_ERROR
├── StoreUnavailableError       the store cannot be reached now     503 TEMPORARILY_UNAVAILABLE
├── SchemaVersionError          the database is older or newer      500 INVALID_STATE
└── MissingExtraError           an optional dependency is absent    501 NOT_IMPLEMENTED
```

The error codes and their HTTP statuses are those of MLflow's REST API, so that both ends of the
wire understand each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar, Final

__all__ = [
    "AlreadyExistsError",
    "ArgumentTypeError",
    "ExecutionError",
    "FilterError",
    "InvalidParameterError",
    "InvalidStateError",
    "MissingExtraError",
    "MissingFileError",
    "NotFoundError",
    "OtflowError",
    "SchemaVersionError",
    "StoreUnavailableError",
    "error_from_code",
]

# name → (number on the wire, HTTP status). Source: the error codes of the Databricks/MLflow REST API.
_CODES: Final[dict[str, tuple[int, int]]] = {
    "INTERNAL_ERROR": (1, 500),
    "TEMPORARILY_UNAVAILABLE": (2, 503),
    "IO_ERROR": (3, 500),
    "BAD_REQUEST": (4, 400),
    "INVALID_PARAMETER_VALUE": (1000, 400),
    "ENDPOINT_NOT_FOUND": (1001, 404),
    "MALFORMED_REQUEST": (1002, 400),
    "INVALID_STATE": (1003, 500),
    "PERMISSION_DENIED": (1004, 403),
    "FEATURE_DISABLED": (1005, 500),
    "CUSTOMER_UNAUTHORIZED": (1006, 500),
    "REQUEST_LIMIT_EXCEEDED": (1007, 429),
    "UNAUTHENTICATED": (1008, 401),
    "RESOURCE_ALREADY_EXISTS": (3001, 400),
    "RESOURCE_DOES_NOT_EXIST": (3002, 404),
    "QUOTA_EXCEEDED": (3003, 500),
    "NOT_IMPLEMENTED": (3004, 501),
    "DATA_LOSS": (3005, 500),
}
_NAMES: Final[dict[int, str]] = {number: name for name, (number, _) in _CODES.items()}


class OtflowError(Exception):
    """Any failure that otflow reports to its caller.

    Args:
        message: What is wrong, the offending value, and what is allowed.
        error_code: A code of MLflow's REST API, by name or by number.
        **kwargs: Further fields of the JSON form.

    Attributes:
        message: The message as given.
        error_code: The code's name, e.g. `"INVALID_PARAMETER_VALUE"`.
        json_kwargs: Further fields of the JSON form.
    """

    default_code: str = "INTERNAL_ERROR"

    clean: ClassVar[Callable[[str], str] | None] = None
    """What may be said of a message (`otflow.tracing.set_privacy_rules`); None where all of it may."""

    def __init__(self, message: object, error_code: int | str | None = None, **kwargs: Any) -> None:
        clean = OtflowError.clean
        if clean is not None:
            message = clean(str(message))
        code: int | str = self.default_code if error_code is None else error_code
        if not isinstance(code, str):
            code = _NAMES.get(int(code), "INTERNAL_ERROR")
        self.error_code: str = code
        self.message: str = str(message)
        self.json_kwargs: dict[str, Any] = kwargs
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses have constructors of their own: rebuild from the state, not from the arguments.
        return (_rebuild, (type(self), self.__dict__))

    def get_http_status_code(self) -> int:
        """The HTTP status that a server answers with for this error."""
        return _CODES.get(self.error_code, (1, 500))[1]

    def serialize_as_json(self) -> str:
        """The error as it travels: `{"error_code": …, "message": …}`."""
        return json.dumps({"error_code": self.error_code, "message": self.message, **self.json_kwargs})

    @classmethod
    def invalid_parameter_value(cls, message: object, **kwargs: Any) -> OtflowError:
        """An error that says an argument is not allowed."""
        return InvalidParameterError(message, **kwargs)


def _rebuild(cls: type[OtflowError], state: dict[str, Any]) -> OtflowError:
    error = cls.__new__(cls, state["message"])
    error.__dict__.update(state)
    error.args = (state["message"],)
    return error


class InvalidParameterError(OtflowError, ValueError):
    """An argument is not allowed; the message names the value and what is allowed."""

    default_code = "INVALID_PARAMETER_VALUE"


class ArgumentTypeError(InvalidParameterError, TypeError):
    """An argument is of a type that is not allowed, or arguments exclude each other."""


class FilterError(InvalidParameterError):
    """A search expression is malformed; the message shows it with a caret under the offence.

    Args:
        problem: What is wrong, and what is allowed.
        text: The whole expression.
        start: Offset of the offending token in `text`, in characters.
        end: Offset just behind the offending token.
    """

    def __init__(self, problem: str, text: str, start: int, end: int | None = None) -> None:
        self.problem = problem
        self.text = text
        self.start = start
        self.end = max(start + 1, end if end is not None else start + 1)
        line_start = text.rfind("\n", 0, start) + 1
        line_end = text.find("\n", start)
        line = text[line_start : line_end if line_end >= 0 else len(text)]
        carets = "^" * max(1, min(self.end, line_start + len(line)) - start)
        super().__init__(f"{problem}\n  {line}\n  {' ' * (start - line_start)}{carets}")


class NotFoundError(OtflowError):
    """The named thing does not exist."""

    default_code = "RESOURCE_DOES_NOT_EXIST"


class MissingFileError(NotFoundError, FileNotFoundError):
    """A file does not exist, be it the caller's or an artifact."""


class AlreadyExistsError(OtflowError):
    """The name is taken."""

    default_code = "RESOURCE_ALREADY_EXISTS"


class InvalidStateError(OtflowError):
    """The thing exists, and its state does not allow what was asked."""

    default_code = "INVALID_STATE"


class ExecutionError(OtflowError):
    """A project cannot be run as it is, or its run has failed."""


class StoreUnavailableError(OtflowError):
    """The store cannot be reached now; trying again later may succeed."""

    default_code = "TEMPORARILY_UNAVAILABLE"


class SchemaVersionError(OtflowError):
    """The database was written by another version; the message names the command to type."""

    default_code = "INVALID_STATE"


class MissingExtraError(OtflowError):
    """An optional dependency is not installed.

    Args:
        package: The name of the absent package.
        extra: The extra of otflow that installs it.
        purpose: What it is needed for.
    """

    default_code = "NOT_IMPLEMENTED"

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f"{purpose} needs {package}; install it with: pip install 'otflow[{extra}]'")


_BY_CODE: Final[dict[str, type[OtflowError]]] = {
    cls.default_code: cls
    for cls in (InvalidParameterError, NotFoundError, AlreadyExistsError, InvalidStateError, StoreUnavailableError)
}


def error_from_code(error_code: str, message: str) -> OtflowError:
    """The error that a `{error_code, message}` answer of a server stands for."""
    return _BY_CODE.get(error_code, OtflowError)(message, error_code)
