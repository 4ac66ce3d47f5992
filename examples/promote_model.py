"""From a candidate to the version that is served: register, check, promote by alias, roll back.

The code that serves never names a version: it loads `models:/churn@champion`, whatever that means today.

    python examples/promote_model.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import otflow

NAME = "churn"
SERVED = f"models:/{NAME}@champion"
CUSTOMERS = [(2, False), (30, True), (11, True), (4, False), (9, False), (40, True), (12, True)]
"""Days since the last visit, and whether the customer left."""


def train(limit: int) -> str:
    """A model that calls a customer lost after so many days; the URI of its files."""
    with otflow.start_run(run_name=f"limit {limit}") as run:
        otflow.log_param("limit", limit)
        otflow.log_metric("accuracy", accuracy(limit, CUSTOMERS))
        otflow.log_dict({"limit": limit}, "model/rule.json")
    return f"runs:/{run.info.run_id}/model"


def accuracy(limit: int, customers: Sequence[tuple[int, bool]]) -> float:
    return sum((days >= limit) == left for days, left in customers) / len(customers)


def served_limit() -> int:
    """What the service does when it starts."""
    return json.loads(otflow.artifacts.load_text(f"{SERVED}/rule.json"))["limit"]


def promote(version: str) -> None:
    """Let the service load this version from now on, and note which it was until now."""
    client = otflow.Client()
    aliases = client.get_registered_model(NAME).aliases
    if "champion" in aliases:
        client.set_registered_model_alias(NAME, "previous", aliases["champion"])
    client.set_registered_model_alias(NAME, "champion", version)


def main() -> None:
    otflow.set_experiment("churn")
    client = otflow.Client()

    first = otflow.register_model(train(limit=20), NAME, tags={"checked": "yes"})
    promote(first.version)
    print(f"served: version {first.version}, limit {served_limit()}")

    candidate = otflow.register_model(train(limit=10), NAME)
    old, new = (client.get_run(version.run_id).data.metrics["accuracy"] for version in (first, candidate))
    print(f"candidate: version {candidate.version}, accuracy {new:.2f} instead of {old:.2f}")
    if new > old:
        client.set_model_version_tag(NAME, candidate.version, "checked", "yes")
        promote(candidate.version)
    print(f"served: version {client.get_model_version_by_alias(NAME, 'champion').version}, limit {served_limit()}")

    # Something is wrong with it after all.
    promote(client.get_model_version_by_alias(NAME, "previous").version)
    back = client.get_model_version_by_alias(NAME, "champion")
    print(f"served again: version {back.version}, limit {served_limit()}")

    copy = client.copy_model_version(SERVED, f"{NAME}-europe")
    print(f"copied to {copy.name!r}, version {copy.version}, from {copy.source}")
    checked = otflow.search_model_versions(filter_string=f"name = '{NAME}' AND tags.checked = 'yes'")
    print(f"checked versions: {sorted(version.version for version in checked)}")


if __name__ == "__main__":
    main()
