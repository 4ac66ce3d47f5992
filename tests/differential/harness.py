"""Two sides of one script: the facts of the released MLflow beside ours.

The facts of the released MLflow are recorded, so that every run compares with them and no run needs it. With the
environment variable OTFLOW_TEST_MLFLOW_PYTHON naming a Python that has `mlflow==3.10.1` they are taken anew instead;
`python tests/differential/harness.py record [AREA…]` takes them anew and keeps them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RECORD = HERE / "recorded"
VARIABLE = "OTFLOW_TEST_MLFLOW_PYTHON"
SECONDS = 600  # the released MLflow needs a minute or two for all cases

sys.path.insert(0, str(HERE))

from runner import load_cases  # noqa: E402
from toolbox import ABSENT, ANYTHING, BROKEN_OFF, MISSING, Case  # noqa: E402

Facts = dict[str, dict[str, Any]]


def collect(python: str, module: str, wanted: Sequence[str] = ()) -> Facts:
    """The facts of all cases, or of those in some areas, by case and label, as `module` in `python` makes them."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "facts.json"
        command = [python, str(HERE / "runner.py"), module, str(target), *wanted]
        environment = {key: text for key, text in os.environ.items() if not key.startswith(("MLFLOW_", "OTFLOW_"))}
        if module == "otflow":
            root = str(HERE.parents[1])
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False)
        if done.returncode:
            message = f"running the cases on {module} failed:\n{done.stderr[-4000:]}"
            raise RuntimeError(message)
        return json.loads(target.read_text("utf-8"))


def recorded() -> Facts:
    """The facts of the released MLflow as they were recorded."""
    facts: Facts = {}
    for path in sorted(RECORD.glob("*.json")):
        facts |= json.loads(path.read_text("utf-8"))
    return facts


def record(facts: Facts) -> None:
    """Keep the facts of the released MLflow, one file per area; its words are not kept."""
    RECORD.mkdir(exist_ok=True)
    areas: dict[str, Facts] = {}
    for name, of_case in facts.items():
        areas.setdefault(name.split(".", 1)[0], {})[name] = compared(of_case)
    for area, of_area in areas.items():
        text = json.dumps(of_area, indent=1, ensure_ascii=False) + "\n"
        (RECORD / f"{area}.json").write_text(text, "utf-8")


def compared(fact: Any) -> Any:
    """A fact without what is only for the reader."""
    if isinstance(fact, Mapping):
        return {key: compared(item) for key, item in fact.items() if not key.startswith("~")}
    if isinstance(fact, list):
        return [compared(item) for item in fact]
    return fact


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two facts part, as path, theirs, ours; 1, 1.0 and true are three things."""
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        for key in [*theirs, *(key for key in ours if key not in theirs)]:
            yield from differences(theirs.get(key, ABSENT), ours.get(key, ABSENT), f"{path}/{key}" if path else key)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (their, our) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(their, our, f"{path}[{index}]")
    elif json.dumps(theirs) != json.dumps(ours):
        yield path, theirs, ours


def judge(entry: Case, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Complaints about a case: unexpected differences, and expected ones that are not as the case says."""
    if MISSING in ours:
        return []
    if BROKEN_OFF in ours:
        lines = [ours[BROKEN_OFF]["~message"], *ours[BROKEN_OFF]["~where"]]
        return ["the case broke off on otflow:\n    " + "\n    ".join(lines)]
    their_facts, our_facts = compared(theirs), compared(ours)
    complaints = []
    used: set[str] = set()
    for path, their, our in differences(their_facts, our_facts):
        covering = [key for key in entry.differs if path == key or path.startswith((f"{key}/", f"{key}["))]
        if covering:
            used.update(covering)
            continue
        complaints.append(f"{path}\n    MLflow: {_short(their)}\n    otflow: {_short(our)}{_words(path, ours)}")
    for key, expected in entry.differs.items():
        if key not in used:
            complaints.append(f"{key}\n    no longer differs from MLflow: drop it from `differs`")
        elif expected.ours is not ANYTHING and json.dumps(found := follow(our_facts, key)) != json.dumps(expected.ours):
            complaints.append(f"{key}\n    has to be: {_short(expected.ours)}\n    otflow:    {_short(found)}")
    return complaints


def follow(facts: Any, path: str) -> Any:
    """What is at a path, as `differences` writes them."""
    if not path:
        return facts
    if isinstance(facts, list):
        index, _, rest = path[1:].partition("]")
        return follow(facts[int(index)], rest.removeprefix("/")) if int(index) < len(facts) else ABSENT
    if isinstance(facts, Mapping):
        # Keys hold slashes and brackets of their own: the longest that fits is meant.
        for key in sorted(facts, key=len, reverse=True):
            if path == key:
                return facts[key]
            if path.startswith((f"{key}/", f"{key}[")):
                return follow(facts[key], path[len(key) :].removeprefix("/"))
    return ABSENT


def _short(fact: Any) -> str:
    text = json.dumps(fact, ensure_ascii=False)
    return text if len(text) <= 600 else f"{text[:600]}…"


def _words(path: str, ours: Mapping[str, Any]) -> str:
    """The message of our error at this place, if there is one."""
    for label, fact in ours.items():
        if path.startswith(label) and isinstance(fact, Mapping) and "~message" in fact:
            lines = [str(fact["~message"]), *fact.get("~where", ())]
            return "\n    says:   " + "\n            ".join(lines)
    return ""


def main(arguments: list[str]) -> int:
    python = os.environ.get(VARIABLE)
    if arguments[:1] == ["record"] and python:
        areas = arguments[1:]
        if not areas:
            for path in RECORD.glob("*.json"):
                path.unlink()
        record(collect(python, "mlflow", [f"{area}." for area in areas]))
        return 0
    if arguments[:1] == ["compare"]:
        theirs = collect(python, "mlflow") if python else recorded()
        ours = collect(sys.executable, "otflow")
        wanted = arguments[1:] or [""]
        for name, entry in load_cases().items():
            if any(name.startswith(want) for want in wanted):
                for complaint in judge(entry, theirs.get(name, {}), ours.get(name, {})):
                    print(f"{name}: {complaint}")  # noqa: T201
        return 0
    print(f"usage: harness.py record [AREA…] | compare [CASE…]   (record needs {VARIABLE})", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
