"""The rooms of the library, and what each may know of the others."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "otflow"

# A room imports only rooms above it.
ROOMS = [
    "errors",
    "exceptions",
    "config",
    "otel_variables",
    "clock",
    "semconv",
    "source_code",
    "entities",
    "search",
    "wire",
    "store",
    "files",
    "data",
    "context",
    "tracing",
    "client",
    "system_metrics",
    "tracking",
    "artifacts",
    "evaluation",
    "genai",
    "models",
    "projects",
    "server",
    "testing",
    "compat",
    "cli",
    "__main__",
    "__init__",
]

# Too dear to be imported by a program that only traces.
HEAVY = {
    "grpc",
    "kubernetes",
    "numpy",
    "opentelemetry.exporter",
    "pandas",
    "psycopg",
    "pyarrow",
    "pydantic",
    "requests",
    "starlette",
    "uvicorn",
}
# Modules that are a class of pydantic: as heavy as it is, to be imported as it is.
OF_PYDANTIC = {"otflow.entities.model_registry.prompt_model_config"}


@dataclass(frozen=True)
class Import:
    """One name that one module imports."""

    importer: str
    line: int
    module: str
    in_function: bool
    for_typing: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}"


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(name: str) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, in_function: bool, for_typing: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(name, node.lineno, alias.name, in_function, for_typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: imports inside of otflow are written out in full"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                module = inner if inner in FILES else str(node.module)
                if (module, alias.name) == ("otflow", "__version__"):
                    continue  # the door's own name, known before anything is loaded
                found.append(Import(name, node.lineno, module, in_function, for_typing))
        elif isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for child in node.body:
                visit(child, in_function, True)
            for child in node.orelse:
                visit(child, in_function, for_typing)
            return
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside, for_typing)

    visit(TREES[name], False, False)
    return found


IMPORTS = [imported for name in FILES for imported in imports_of(name)]
OWN_IMPORTS = [imported for imported in IMPORTS if imported.module.split(".")[0] == "otflow"]


def test_every_module_is_in_a_room_that_has_its_place():
    assert {room_of(name) for name in FILES} <= set(ROOMS)


def test_a_room_imports_only_rooms_above_it():
    place = {room: index for index, room in enumerate(ROOMS)}
    wrong = [
        str(imported) for imported in OWN_IMPORTS if place[room_of(imported.module)] > place[room_of(imported.importer)]
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle():
    edges: dict[str, set[str]] = {name: set() for name in FILES}
    for imported in OWN_IMPORTS:
        if not imported.for_typing and not imported.in_function and imported.module != imported.importer:
            edges[imported.importer].add(imported.module)
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> None:
        assert name not in path, f"a circle: {' → '.join([*path[path.index(name) :], name])}"
        if name not in done:
            for target in sorted(edges.get(name, ())):
                walk(target, [*path, name])
            done.add(name)

    for name in FILES:
        walk(name, [])


def test_heavy_packages_are_imported_inside_of_functions():
    def heavy(module: str) -> bool:
        return any(module == package or module.startswith(package + ".") for package in HEAVY | OF_PYDANTIC)

    wrong = [
        str(imported)
        for imported in IMPORTS
        if heavy(imported.module)
        and imported.importer not in OF_PYDANTIC
        and not imported.in_function
        and not imported.for_typing
    ]
    assert wrong == []


def modules_after(code: str, directory: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_otflow_loads_nothing_else(tmp_path):
    before = modules_after("import __future__, importlib, typing", tmp_path)
    after = modules_after("import __future__, importlib, typing, otflow", tmp_path)
    assert after - before == {"otflow"}


def test_tracing_to_the_embedded_store_loads_no_heavy_package(tmp_path):
    loaded = modules_after(
        "import otflow\n"
        "traced = otflow.trace(lambda x: x, name='f')\n"
        "traced({'a': [1, 2.5, None]})\n"
        "assert otflow.get_trace(otflow.get_last_active_trace_id()).data.spans[0].outputs == {'a': [1, 2.5, None]}",
        tmp_path,
    )
    assert loaded & HEAVY == set()


def test_only_config_reads_the_environment():
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        if name not in {"otflow.config", "otflow.otel_variables"}
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"})
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {a.name for a in node.names} & {"environ", "getenv"}
        )
    ]
    assert wrong == []


def test_nothing_is_left_to_be_implemented():
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]
    assert wrong == []


def test_files_are_named_after_what_they_hold():
    vague = {"base", "common", "helper", "helpers", "misc", "util", "utils", "_utils"}
    assert [name for name in FILES if name.rsplit(".", 1)[-1] in vague] == []


def test_the_base_dependencies_are_five():
    requirements = importlib.metadata.requires("otflow") or []
    names = [re.split(r"[^\w-]", requirement)[0] for requirement in requirements if "extra ==" not in requirement]
    assert sorted(names) == [
        "opentelemetry-api",
        "opentelemetry-exporter-otlp",
        "opentelemetry-sdk",
        "pydantic",
        "requests",
    ]


@pytest.mark.parametrize("path", sorted(FILES.values()), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_over_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 750


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()
