"""What a chat model's span says of the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from otflow.errors import InvalidParameterError
from otflow.semconv import SpanKey

if TYPE_CHECKING:
    from otflow.entities import LiveSpan

__all__ = ["set_span_chat_tools"]


def set_span_chat_tools(span: LiveSpan, tools: Sequence[Any]) -> None:
    """Note on a span which tools a chat model was offered.

    Args:
        span: The span.
        tools: Tool definitions as chat completion APIs take them, as dictionaries or pydantic models:
            `{"type": "function", "function": {"name": …, "description": …, "parameters": …}}`.

    Raises:
        InvalidParameterError: not a list of such definitions.

    Example:
        >>> import otflow
        >>> tool = {"type": "function", "function": {"name": "add", "description": "Adds two numbers."}}
        >>> with otflow.start_span("chat", span_type="CHAT_MODEL") as span:
        ...     otflow.tracing.set_span_chat_tools(span, [tool])
    """
    if isinstance(tools, (str, bytes, Mapping)) or not isinstance(tools, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidParameterError(f"tools must be a list of tool definitions, not {type(tools).__name__}")
    span.set_attribute(SpanKey.CHAT_TOOLS, [_checked(tool, index) for index, tool in enumerate(tools)])


def _checked(tool: Any, index: int) -> dict[str, Any]:
    if hasattr(tool, "model_dump"):
        tool = tool.model_dump(exclude_unset=True)
    if not isinstance(tool, Mapping):
        raise InvalidParameterError(f"tools[{index}] must be a dictionary or a pydantic model, not {tool!r}")
    definition: dict[str, Any] = dict(tool)  # pyright: ignore[reportUnknownArgumentType]
    if definition.get("type") not in {"function", "uc_function"}:
        raise InvalidParameterError(
            f"tools[{index}] must have a 'type' of 'function' or 'uc_function', not {definition.get('type')!r}"
        )
    function = definition.get("function")
    if function is not None and not (
        isinstance(function, Mapping) and isinstance(function.get("name"), str)  # pyright: ignore[reportUnknownMemberType]
    ):
        raise InvalidParameterError(f"tools[{index}] must have a 'name' in its 'function', not {function!r}")
    return definition
