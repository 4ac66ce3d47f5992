"""Loading a prompt out of memory with otflow or MLflow: one program for both.

    PYTHON prompt_load.py SUBJECT DATABASE CALLS    prints microseconds by question, the best of five rounds

Run by `prompt_load.py`.
"""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable
from typing import Any

subject, database, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
if subject == "otflow":
    import otflow as mlflow
else:
    import mlflow  # type: ignore[no-redef]

module: Any = mlflow


def of(act: Callable[[], object]) -> float:
    """Microseconds that one call takes."""
    act()
    return min(timeit.repeat(act, number=calls, repeat=5)) / calls * 1e6


def main() -> None:
    module.set_tracking_uri(f"sqlite:///{database}")
    module.register_prompt("text", "Hello {{ name }}, " + "word " * 200)
    module.register_prompt(
        "chat", [{"role": "system", "content": "You are {{ role }}"}, {"role": "user", "content": "{{ question }}"}]
    )
    for name in ("text", "chat"):
        module.set_prompt_alias(name, "production", 1)
    found = {
        "load_prompt, a text by its alias": of(lambda: module.load_prompt("prompts:/text@production")),
        "load_prompt, a text by its version": of(lambda: module.load_prompt("text", 1)),
        "load_prompt, messages by their alias": of(lambda: module.load_prompt("prompts:/chat@production")),
    }
    with module.start_span("open"):
        found["load_prompt in a trace"] = of(lambda: module.load_prompt("prompts:/text@production"))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
