"""Two teams share one store, and see nothing of each other.

Each team traces its agent and evaluates it in a workspace of its own, under the same names. In the end one team is
done, and what it has kept moves to the default workspace.

    python examples/two_workspaces.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import otflow

QUESTIONS = {
    "support": ["My printer is sad", "My screen is upside down"],
    "sales": ["What does it cost?"],
}


@otflow.trace(span_type="AGENT")
async def answer(team: str, question: str) -> str:
    await asyncio.sleep(0)
    return f"{team}: {question}!"


async def work(team: str) -> None:
    """What one team does; other teams do the same meanwhile."""
    otflow.set_workspace(team)  # holds in this task only
    otflow.set_experiment("agent")
    with otflow.start_run(run_name="weekly"):
        answers = [await answer(team, question) for question in QUESTIONS[team]]
        otflow.log_metric("answers", len(answers))


async def all_teams() -> None:
    await asyncio.gather(*(work(team) for team in QUESTIONS))


def show(workspace: str | None) -> None:
    otflow.set_workspace(workspace)
    for experiment in otflow.search_experiments(filter_string="name != 'Default'"):
        [run] = otflow.search_runs([experiment.experiment_id], output_format="list")
        where = [experiment.experiment_id]
        traces = otflow.search_traces(run_id=run.info.run_id, locations=where, return_type="list")
        print(f"{workspace or 'default'}: {experiment.name}, run {run.info.run_name}, {len(traces)} traces")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        otflow.set_tracking_uri(f"sqlite:///{folder}/otflow.db")
        for team in QUESTIONS:
            otflow.create_workspace(team, default_artifact_root=str(Path(folder, team)))

        asyncio.run(all_teams())
        for team in QUESTIONS:
            show(team)

        otflow.set_workspace(None)
        otflow.delete_workspace("sales", mode="SET_DEFAULT")
        show(None)
        print("left:", *(workspace.name for workspace in otflow.list_workspaces()))
        otflow.testing.reset()


if __name__ == "__main__":
    main()
