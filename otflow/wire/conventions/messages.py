"""Chat messages: from the shape of any convention to the one that the views of otflow and MLflow read, and to GenAI's.

The shape that is read is that of chat completions: `role`, `content` (a text, a list of parts, or None), `tool_calls`,
`tool_call_id`; reasoning stands in `reasoning_content`. GenAI's (generation of `gen_ai.input.messages`) has `role` and
a list of `parts`. What neither names stays where it is in the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, cast

from otflow.entities.values import dump
from otflow.wire.conventions.values import Dict, as_dict, as_list, data, is_dict, is_list, json_value, text

__all__ = ["chat", "chat_of", "instructions", "is_chat", "messages", "text_of", "to_parts", "tool_call"]

_ROLES: Final = {"human": "user", "ai": "assistant", "model": "assistant", "bot": "assistant", "function": "tool"}
_DATA_URL: Final = re.compile(r"data:([^;,]+);base64,(.*)", re.DOTALL)
_NAMED_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool", *_ROLES})


def chat(found: object, default_role: str = "user") -> Dict | None:
    """The messages as the inputs or outputs of a chat, `{"messages": […]}`; None where there are none."""
    said = messages(found, default_role)
    return {"messages": said} if said else None


def chat_of(value: Any, default_role: str = "user") -> Any:
    """A value with the messages that it is or has, in the shape that is read; others as they are."""
    if is_list(value):
        return chat(cast("object", value), default_role) if is_chat(value) else value
    if is_dict(value):
        body = value
        if is_chat(body.get("messages")):
            return {**body, "messages": messages(body["messages"], default_role)}
        if _is_message(body):
            return chat([body], default_role)
    return value


def is_chat(value: object) -> bool:
    """Whether a value is a list of messages."""
    return is_list(value) and bool(value) and all(_is_message(item) for item in value)


def _is_message(value: object) -> bool:
    body = as_dict(value)
    return isinstance(body.get("role"), str) and any(key in body for key in ("content", "parts", "tool_calls"))


def messages(found: object, default_role: str = "user") -> list[Dict]:
    """The messages of a list, or the one message, of whatever convention.

    Args:
        found: The list, or JSON text of one.
        default_role: Whose message it is where none says so.
    """
    found = data(found)
    if isinstance(found, str):
        return [{"role": default_role, "content": found}] if found else []
    if is_dict(found):
        found = [found]
    said: list[Dict] = []
    for item in as_list(found):
        said.extend(_message(data(item), default_role))
    return said


def instructions(found: object) -> str | None:
    """The text of system instructions: a text, or a list of parts."""
    found = data(found)
    if isinstance(found, str):
        return found or None
    if is_dict(found):
        found = as_list(as_dict(found).get("parts")) or [found]
    texts = [part if isinstance(part, str) else _part_text(as_dict(part)) for part in as_list(found)]
    return "\n\n".join(part for part in texts if part) or None


def text_of(message: Dict) -> str | None:
    """The text of a message, if it is nothing but that."""
    content = message.get("content")
    return content if isinstance(content, str) and "tool_calls" not in message else None


def _message(item: object, default_role: str) -> Iterable[Dict]:
    if isinstance(item, str):
        return [{"role": default_role, "content": item}]
    body = as_dict(item)
    if not body:
        return []
    inner = data(body.get("message"))
    if is_dict(inner):  # OpenInference's `message`, or a choice
        rest = {key: value for key, value in body.items() if key == "finish_reason" and value is not None}
        return _message({**inner, **rest}, default_role)
    role = text(body.get("role")) or default_role
    role = _ROLES.get(role, role)
    given = [data(body.get(key)) for key in ("parts", "contents")]
    parts = next((found for found in given if is_list(found)), None)
    content = _content(body.get("content")) if parts is None else None
    known = {"role", "parts", "contents", "content", "tool_calls", "reasoning"}
    made = _Made(role, {key: value for key, value in body.items() if key not in known and value is not None})
    if parts is not None:
        made.add_parts(parts)
        made.bare = all("message_content" not in as_dict(part) for part in parts)
    elif is_list(content):
        made.add_parts(content)
        made.bare = False
    elif is_dict(content):
        made.content.append(content if "type" in content else {"type": "text", "text": dump(cast("object", content))})
    elif content is not None:
        made.content.append({"type": "text", "text": content})
    if reasoning := text(body.get("reasoning")):
        made.reasoning.append(reasoning)
    for call in as_list(data(body.get("tool_calls"))):
        if found := tool_call(data(call)):
            made.calls.append(found)
    made.take_openinference()
    return made.finish()


def _content(value: object) -> Any:
    """Content: a text, or parts, which may stand there as JSON text. The text of other JSON is text."""
    if isinstance(value, (list, dict)) or value is None:
        return cast("object", value)
    parts = data(value)
    if is_list(parts) and parts and all(_is_part(part) for part in parts):
        return cast("object", parts)
    return text(value)


def _is_part(value: object) -> bool:
    body = as_dict(value)
    return "type" in body or "text" in body or "toolUse" in body or "toolResult" in body


class _Made:
    """A message that is being put together from parts."""

    def __init__(self, role: str, rest: Dict) -> None:
        self.role = role
        self.rest = rest
        self.content: list[Any] = []
        self.calls: list[Dict] = []
        self.results: list[Dict] = []
        self.reasoning: list[str] = []
        self.bare = True
        """Whether content that is one text stands as that text, not as a list of one part."""

    def add_parts(self, parts: list[Any]) -> None:
        for part in parts:
            self._add(data(part))

    def _add(self, part: Any) -> None:
        if isinstance(part, str):
            self.content.append({"type": "text", "text": part})
            return
        body = as_dict(part)
        body = as_dict(body.get("message_content")) or body
        kind = body.get("type")
        if kind in ("reasoning", "thinking"):
            self.reasoning.append(str(body.get("content") or body.get("thinking") or body.get("text") or ""))
        elif kind in ("tool_call", "tool-call", "tool_use") or "toolUse" in body or "function_call" in body:
            found = tool_call(as_dict(body.get("toolUse")) or as_dict(body.get("function_call")) or body)
            if found:
                self.calls.append(found)
        elif kind in ("tool_call_response", "tool-result", "tool_result") or "toolResult" in body:
            self.results.append(_tool_result(as_dict(body.get("toolResult")) or body))
        elif kind in ("text", None) and (said := _part_text(body)) is not None:
            self.content.append({"type": "text", "text": said})
        elif body:
            self.content.append(_media(body))

    def take_openinference(self) -> None:
        """The function call of old models, which OpenInference keeps beside the content."""
        name = text(self.rest.pop("function_call_name", None))
        if name:
            arguments = self.rest.pop("function_call_arguments_json", None)
            found = tool_call({"name": name, "arguments": arguments})
            if found:
                self.calls.append(found)

    def finish(self) -> list[Dict]:
        said: list[Dict] = []
        if self.content or self.calls or self.reasoning or not self.results:
            message: Dict = {"role": self.role, "content": self._content()}
            if self.reasoning:
                message["reasoning_content"] = "\n".join(self.reasoning)
            if self.calls:
                message["tool_calls"] = self.calls
            if self.role == "tool" and "tool_call_id" not in self.rest and "id" in self.rest:
                self.rest["tool_call_id"] = self.rest.pop("id")
            said.append({**message, **self.rest})
        return [*self.results, *said]

    def _content(self) -> Any:
        texts = [part["text"] for part in self.content if as_dict(part).keys() == {"type", "text"}]
        if self.bare and len(texts) == len(self.content) and len(texts) <= 1:
            return texts[0] if texts else None
        return self.content or None


def _part_text(part: Dict) -> str | None:
    for key in ("text", "content"):
        if isinstance(part.get(key), str):
            return part[key]
    return None


def _media(part: Dict) -> Dict:
    kind, modality, mime = part.get("type"), part.get("modality"), part.get("mime_type")
    image = as_dict(part.get("image"))
    url = as_dict(image.get("image")).get("url") or image.get("url")
    if url is not None:
        return {"type": "image_url", "image_url": {"url": url}}
    if kind == "blob" and isinstance(part.get("content"), str):
        if modality == "audio":
            return {
                "type": "input_audio",
                "input_audio": {"data": part["content"], "format": str(mime or "").partition("/")[2]},
            }
        if modality == "image":
            return {"type": "image_url", "image_url": {"url": f"data:{mime or 'image/*'};base64,{part['content']}"}}
    if kind == "uri" and modality == "image" and isinstance(part.get("uri"), str):
        return {"type": "image_url", "image_url": {"url": part["uri"]}}
    if kind in ("image-url", "image") and isinstance(part.get("url") or part.get("image"), str):
        return {"type": "image_url", "image_url": {"url": part.get("url") or part["image"]}}
    return part


def tool_call(item: object) -> Dict | None:
    """One call of a tool in the shape of chat completions; None where it names no tool."""
    body = as_dict(item)
    body = as_dict(body.get("tool_call")) or body
    function = as_dict(data(body.get("function"))) or body
    name = text(function.get("name") or function.get("toolName"))
    if name is None:
        return None
    arguments = next((function[key] for key in ("arguments", "args", "input") if function.get(key) is not None), None)
    call_id = body.get("id") or body.get("toolCallId") or body.get("toolUseId") or body.get("call_id")
    made: Dict = {"id": call_id} if call_id is not None else {}
    made["type"] = "function"
    written = arguments if isinstance(arguments, str) else "" if arguments is None else dump(arguments)
    made["function"] = {"name": name, "arguments": written}
    return made


def _tool_result(part: Dict) -> Dict:
    keys = ("response", "result", "output", "content")
    result = next((part[key] for key in keys if part.get(key) is not None), None)
    if is_list(result) and all(as_dict(item).get("text") is not None for item in result):
        result = "".join(str(item["text"]) for item in result)
    if as_dict(result).get("type") in ("text", "json") and "value" in as_dict(result):
        result = as_dict(result)["value"]
    call_id = next(
        (part[key] for key in ("id", "toolCallId", "tool_use_id", "toolUseId", "call_id") if part.get(key)), None
    )
    made: Dict = {"role": "tool", "content": result if isinstance(result, str) or result is None else dump(result)}
    if call_id is not None:
        made["tool_call_id"] = call_id
    if name := part.get("name") or part.get("toolName"):
        made["name"] = name
    return made


# -- to GenAI's parts ------------------------------------------------------------------------------------------


def to_parts(message: Dict) -> Dict:
    """A message in GenAI's shape: `{"role": …, "parts": […]}`."""
    role, content = str(message.get("role") or "user"), message.get("content")
    rest = {
        key: value
        for key, value in message.items()
        if key not in ("role", "content", "tool_calls", "tool_call_id", "reasoning_content", "parts")
    }
    parts: list[Any] = []
    if isinstance(message.get("reasoning_content"), str):
        parts.append({"type": "reasoning", "content": message["reasoning_content"]})
    if role == "tool":
        response: Dict = {"type": "tool_call_response", "response": content}
        if message.get("tool_call_id") is not None:
            response["id"] = message["tool_call_id"]
        if isinstance(rest.get("name"), str):
            response["name"] = rest.pop("name")
        return {"role": role, "parts": [*parts, response], **rest}
    if is_list(content):
        parts.extend(_to_part(part) for part in content)
    elif content is not None:
        parts.append({"type": "text", "content": content if isinstance(content, str) else dump(content)})
    for call in as_list(message.get("tool_calls")):
        function = as_dict(as_dict(call).get("function"))
        part: Dict = {"type": "tool_call", "name": function.get("name"), "arguments": _arguments(function)}
        if as_dict(call).get("id") is not None:
            part["id"] = call["id"]
        parts.append(part)
    return {"role": role, "parts": parts, **rest}


def _arguments(function: Dict) -> Any:
    """The arguments as an object, where its JSON text is the one that they are."""
    written = function.get("arguments")
    if isinstance(written, str):
        found = json_value(written)
        if is_dict(found) and dump(cast("object", found)) == written:
            return found
    return written


def _to_part(part: Any) -> Any:
    body = as_dict(part)
    if isinstance(part, str):
        return {"type": "text", "content": part}
    if body.get("type") in ("text", "input_text", "output_text") and isinstance(body.get("text"), str):
        return {"type": "text", "content": body["text"]}
    url = as_dict(body.get("image_url")).get("url")
    if isinstance(url, str):
        inline = _DATA_URL.fullmatch(url)
        if inline is not None:
            return {"type": "blob", "modality": "image", "mime_type": inline[1], "content": inline[2]}
        return {"type": "uri", "modality": "image", "uri": url}
    audio = as_dict(body.get("input_audio"))
    if isinstance(audio.get("data"), str):
        mime = f"audio/{audio.get('format') or 'wav'}"
        return {"type": "blob", "modality": "audio", "mime_type": mime, "content": audio["data"]}
    return body or {"type": "unknown", "content": dump(part)}
