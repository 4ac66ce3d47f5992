"""Run a project from git: at two versions, with parameters, and see what each run says of itself.

The project is a repository that this program makes in a temporary directory; no network. It runs in the environment
of this program; `env_manager="virtualenv"` or `"uv"` would make the one that the project asks for.

    pip install 'otflow[projects]'
    python examples/run_project.py
"""

from __future__ import annotations

import subprocess
import tempfile
import textwrap
from pathlib import Path

import otflow

MLPROJECT = """\
name: sorting
entry_points:
  main:
    parameters:
      size: {type: float, default: 200}
      title: string
    command: "python sort.py {size} {title}"
  compare:
    command: "python compare.py"
"""

SORT = """\
import random
import sys

import otflow

size, title = int(float(sys.argv[1])), sys.argv[2]
numbers = random.Random(7).choices(range(size), k=size)
steps = 0

ALGORITHM

with otflow.start_run():  # the run that this process was started for
    assert sort(numbers) == sorted(numbers)
    otflow.log_metric("steps", steps)
    otflow.set_tag("title", title)
"""

INSERTION = """\
def sort(numbers):
    global steps
    done = []
    for number in numbers:
        at = len(done)
        while at and done[at - 1] > number:
            at, steps = at - 1, steps + 1
        done.insert(at, number)
    return done
"""

MERGE = """\
def sort(numbers):
    global steps
    if len(numbers) < 2:
        return list(numbers)
    left, right = sort(numbers[: len(numbers) // 2]), sort(numbers[len(numbers) // 2 :])
    done = []
    while left and right:
        steps += 1
        done.append((left if left[0] <= right[0] else right).pop(0))
    return done + left + right
"""

# A project that runs others: each step is a run of its own, below the one of the whole.
COMPARE = """\
import otflow

with otflow.start_run():
    for size in (50, 100):
        otflow.run(".", parameters={"size": size, "title": f"of {size}"}, env_manager="local")
"""


def main() -> None:
    otflow.set_experiment("sorting")
    with tempfile.TemporaryDirectory() as place:
        repository = Path(place) / "sorting"
        make_repository(repository)
        uri = repository.as_uri()
        for version in ("v1", "main"):
            submitted = otflow.run(
                uri, version=version, parameters={"title": f"it's {version}; $(ls)"}, env_manager="local"
            )
            show(submitted)

        background = otflow.run(uri, "compare", env_manager="local", synchronous=False)
        print(f"\ncompare goes on: {background.get_status()}")
        background.wait()
        show(background)
        for step in otflow.search_runs(
            filter_string=f"tags.`mlflow.parentRunId` = '{background.run_id}'",
            order_by=["metrics.steps ASC"],
            output_format="list",
        ):
            print(f"  {step.data.tags['title']}: {step.data.metrics['steps']:.0f} steps")
    print(f"\nAll of it is in the experiment 'sorting' of {otflow.get_tracking_uri()}")


def make_repository(directory: Path) -> None:
    """A repository with two versions of the project."""
    directory.mkdir()
    (directory / "MLproject").write_text(MLPROJECT)
    (directory / "compare.py").write_text(COMPARE)
    git(directory, "init", "-q", "-b", "main")
    for version, algorithm in (("v1", INSERTION), ("v2", MERGE)):
        (directory / "sort.py").write_text(textwrap.dedent(SORT).replace("ALGORITHM", algorithm))
        git(directory, "add", ".")
        git(directory, "-c", "user.name=me", "-c", "user.email=me@example.com", "commit", "-q", "-m", version)
        git(directory, "tag", version)


def git(directory: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=directory, check=True)


def show(submitted: otflow.projects.SubmittedRun) -> None:
    run = otflow.get_run(submitted.run_id)
    tags = run.data.tags
    print(f"{run.info.run_name}: {run.info.status}, {tags['mlflow.project.entryPoint']}, {run.data.metrics}")
    print(f"  commit {tags['mlflow.source.git.commit'][:7]}, branch {tags.get('mlflow.source.git.branch')}")
    print(f"  {run.data.params}")


if __name__ == "__main__":
    main()
