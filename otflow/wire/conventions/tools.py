"""Tools that a model was offered, in the form of chat completion APIs."""

from __future__ import annotations

from typing import Any

from otflow.wire.conventions.values import Dict, as_dict, data, is_dict, is_list

__all__ = ["function_tool", "function_tools"]


def function_tools(found: object) -> list[Dict] | None:
    """The definitions in `{"type": "function", "function": {"name": …}}` form; None where there are none."""
    found = data(found)
    if is_dict(found):  # one, or one per name
        found = [found] if "name" in found or "function" in found else list(found.values())
    if not is_list(found):
        return None
    made = [tool for item in found if (tool := function_tool(data(item))) is not None]
    return made or None


def function_tool(item: object) -> Dict | None:
    """One definition, of whatever convention; None where it has no name."""
    body = as_dict(item)
    body = as_dict(body.get("tool")) or body
    if "json_schema" in body:
        body = as_dict(data(body["json_schema"]))
    function = as_dict(data(body.get("function")))
    if isinstance(function.get("name"), str):
        return {**body, "type": body.get("type") or "function", "function": function}
    spec = as_dict(body.get("toolSpec")) or body
    name = spec.get("name")
    if not isinstance(name, str):
        return None
    made: Dict = {"name": name}
    if isinstance(spec.get("description"), str):
        made["description"] = spec["description"]
    parameters = _schema(spec)
    if parameters is not None:
        made["parameters"] = parameters
    if isinstance(spec.get("strict"), bool):
        made["strict"] = spec["strict"]
    return {"type": "function", "function": made}


def _schema(spec: Dict) -> Any:
    for key in ("parameters", "input_schema", "inputSchema", "parameters_json_schema", "json_schema"):
        schema = data(spec.get(key))
        if is_dict(schema):
            inner = as_dict(schema.get("json")) or as_dict(schema.get("jsonSchema"))
            return inner or schema
    return None
