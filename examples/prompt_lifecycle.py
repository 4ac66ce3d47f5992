"""A prompt's life, from a text to its production alias to the traces that used it.

A support assistant loads its prompt by the alias `production`. A second version is registered, compared, tried out
beside the first on the same questions, and promoted; the assistant takes it without being touched. The traces say which
version made each answer, so that the version can be blamed, or taken back. The model is a function of this file; no
network.

    python examples/prompt_lifecycle.py
"""

from __future__ import annotations

import json
from typing import Any

import otflow
from otflow import genai

PROMPT = "support-answer"
QUESTIONS = ["My printer is sad", "Where is my order?", "How do I reset my password?"]


def main() -> None:
    otflow.set_experiment("support")

    # A text becomes version 1, and the alias `production` means it.
    first = otflow.register_prompt(
        PROMPT,
        "Answer the customer: {{ question }}",
        commit_message="The first words",
        tags={"team": "support"},
        model_config={"model_name": "small", "temperature": 0.2},
    )
    otflow.set_prompt_alias(PROMPT, "production", first.version)
    before = answer(QUESTIONS[0])

    # Version 2 is made of chat messages; a diff says what changes.
    second = otflow.register_prompt(
        PROMPT,
        [
            {"role": "system", "content": "You are brief and friendly."},
            {"role": "user", "content": "{{ question }}"},
        ],
        commit_message="Messages instead of a text; a tone",
        response_format={"type": "object", "properties": {"answer": {"type": "string"}}},
        model_config={"model_name": "small", "temperature": 0.2},
    )
    otflow.set_prompt_alias(PROMPT, "candidate", second.version)
    print(first.diff(second))

    # Both versions answer the same questions, each in a run of its own, which lists the prompts that it used.
    scores = {alias: try_out(alias) for alias in ("production", "candidate")}
    print(f"\n{json.dumps(scores)}")
    if scores["candidate"] > scores["production"]:
        otflow.set_prompt_alias(PROMPT, "production", second.version)
        genai.set_prompt_version_tag(PROMPT, second.version, "promoted-for", "friendliness")

    # The same function now uses the other version, and its traces say so.
    after = answer(QUESTIONS[0])
    print(f"before: {before}\nafter:  {after}\n")
    for version in otflow.Client().search_prompt_versions(PROMPT):
        traces = otflow.search_traces(
            filter_string=f"prompt = '{PROMPT}/{version.version}'", return_type="list", max_results=100
        )
        aliases = ", ".join(version.aliases) or "no alias"
        print(f"{version.uri} ({aliases}): {len(traces)} traces; {version.commit_message}")


@otflow.trace
def answer(question: str, alias: str = "production") -> str:
    """Answer a customer with the version of the prompt that an alias means now."""
    prompt = otflow.load_prompt(f"prompts:/{PROMPT}@{alias}")
    return model(prompt.format(question=question), **(prompt.model_config or {}))


def try_out(alias: str) -> float:
    """The share of answers that are friendly."""
    with otflow.start_run(run_name=f"try {alias}") as run:
        friendly = [answer(question, alias).endswith(":)") for question in QUESTIONS]
        share = sum(friendly) / len(friendly)
        otflow.log_metric("friendly", share)
    used = otflow.Client().list_logged_prompts(run.info.run_id)
    print(f"{run.info.run_name}: {', '.join(prompt.uri for prompt in used)}")
    return share


@otflow.trace(span_type="CHAT_MODEL")
def model(prompt: Any, **settings: Any) -> str:
    """Stands for a language model: it is as friendly as the messages ask for."""
    if span := otflow.get_current_active_span():
        span.set_attributes(settings)
    friendly = isinstance(prompt, list) and "friendly" in str(prompt[0]["content"])
    return "Have you tried turning it off and on again?" + (" :)" if friendly else "")


if __name__ == "__main__":
    main()
