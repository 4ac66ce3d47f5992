"""Registering, loading and searching models with otflow or MLflow: one program for both.

    PYTHON registry.py SUBJECT DATABASE ROUNDS    prints milliseconds by question, the median of the rounds

Run by `compare_registry.py`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

subject, database, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
if subject == "otflow":
    import otflow as mlflow
else:
    import mlflow  # type: ignore[no-redef]

module: Any = mlflow
MODELS, VERSIONS = 200, 5


def main() -> None:
    logging.disable()
    module.set_tracking_uri(f"sqlite:///{database}")
    model = module.create_external_model("agent")
    client = module.MlflowClient()
    # What a process pays once is not asked here.
    module.register_model("s3://bucket/warm", "warm")
    found = {
        "register_model, a new name": of(
            rounds * 5, lambda number: module.register_model("s3://bucket/x", f"new-{number}")
        ),
        "register_model, a new version": of(rounds * 10, lambda _: module.register_model("s3://bucket/x", "warm")),
        "register_model, of a logged model": of(rounds * 5, lambda _: module.register_model(model.model_uri, "logged")),
        "set_registered_model_alias": of(
            rounds * 10, lambda _: client.set_registered_model_alias("warm", "champion", "1")
        ),
        "get_model_version_by_alias": of(rounds * 20, lambda _: client.get_model_version_by_alias("warm", "champion")),
        "get_registered_model": of(rounds * 20, lambda _: client.get_registered_model("warm")),
        "set_model_version_tag": of(rounds * 10, lambda number: client.set_model_version_tag("warm", "1", "k", number)),
    }
    print(json.dumps(found | search(client)))


def search(client: Any) -> dict[str, float]:
    """Over 200 models of 5 versions each, with tags."""
    for number in range(MODELS):
        name = f"searched-{number:03}"
        client.create_registered_model(name, tags={"kind": "even" if number % 2 == 0 else "odd", "n": str(number)})
        for version in range(VERSIONS):
            client.create_model_version(name, f"s3://bucket/{name}", run_id=f"r{number}", tags={"v": str(version)})
        client.set_registered_model_alias(name, "champion", "1")
    assert len(client.search_registered_models("name LIKE 'searched-%'", 1_000)) == MODELS
    every = "name LIKE 'searched-%'"
    asked: dict[str, Callable[[int], object]] = {
        f"search_registered_models, {MODELS}": lambda _: client.search_registered_models(every, 1_000),
        "search_registered_models, by tag": lambda _: client.search_registered_models("tags.n = '77'"),
        f"search_model_versions, {MODELS * VERSIONS:,}": lambda _: client.search_model_versions(every),
        "search_model_versions, of a name": lambda _: client.search_model_versions("name = 'searched-077'"),
        "search_model_versions, of a run": lambda _: client.search_model_versions("run_id = 'r77'"),
        "search_model_versions, the last 10": lambda _: client.search_model_versions(max_results=10),
    }
    return {question: of(rounds, act) for question, act in asked.items()}


def of(count: int, act: Callable[[int], object]) -> float:
    """Milliseconds that one call takes, the median."""
    taken: list[float] = []
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        for number in range(count):
            begin = time.perf_counter()
            act(number)
            taken.append((time.perf_counter() - begin) * 1000)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
