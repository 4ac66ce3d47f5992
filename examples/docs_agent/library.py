"""The documents: docstrings of the standard library, and the topics of the language reference that pydoc brings."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from otflow.entities import Document

from .retrieval import Index

# Importing these opens windows or a browser, prints, or takes long; or they are other names for what others document.
SKIPPED = """
    antigravity this idlelib tkinter turtle turtledemo lib2to3 test ensurepip venv distutils rlcompleter readline
    posixpath ntpath posix nt genericpath sre_compile sre_constants sre_parse
"""
SUBMODULES = """
    os.path collections.abc concurrent.futures email.message html.parser http.client http.cookies http.server
    importlib.metadata importlib.resources logging.config logging.handlers multiprocessing.pool unittest.mock
    urllib.parse urllib.request xml.etree.ElementTree
"""
MODULES = {name for name in sys.stdlib_module_names if name[0] != "_"} - set(SKIPPED.split()) | set(SUBMODULES.split())
LONGEST_PASSAGE = 2_000  # characters; longer documents are cut at paragraphs
STDLIB = Path(sysconfig.get_path("stdlib"))


class NoDocumentsError(Exception):
    """This Python has no documentation strings to answer from."""


@dataclass(frozen=True)
class Library:
    """All documents, and the ways to find one."""

    documents: dict[str, Document]
    names: Index
    docstrings: Index
    topics: Index

    def named(self, name: str) -> list[Document]:
        """The documents whose name is `name`, or ends with it: "merge" and "heapq.merge" name the same one."""
        exact = [self.documents[key] for key in (name, f"builtins.{name}", f"topic:{name}") if key in self.documents]
        return exact or [document for key, document in self.documents.items() if key.endswith(f".{name}")]


@functools.cache
def load_library() -> Library:
    """Read and index the documents; takes about a second, once per process.

    Raises:
        NoDocumentsError: This Python has no docstrings.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old modules and names warn when they are touched
        docstrings = {document.id: document for document in docstring_documents()}
    topics = {document.id: document for document in topic_documents()}
    if not docstrings:
        raise NoDocumentsError("this Python has no docstrings (is it run with -OO?)")
    return Library(
        documents=docstrings | topics,
        names=Index((name, name.partition("#")[0]) for name in docstrings),
        docstrings=Index((name, document.page_content) for name, document in docstrings.items()),
        topics=Index((name, document.page_content) for name, document in topics.items()),
    )


def docstring_documents() -> Iterator[Document]:
    """One document, or several if it is long, for each module, class, function and method with a docstring."""
    for name, module in importable_modules():
        about = {"module": name, "source": source_of(module)}
        yield from documents_of(name, module, {**about, "kind": "module"})
        for member_name, member in public_members(name, module):
            kind = "class" if inspect.isclass(member) else "function"
            yield from documents_of(f"{name}.{member_name}", member, {**about, "kind": kind})
            for method_name, method in public_methods(member):
                full_name = f"{name}.{member_name}.{method_name}"
                yield from documents_of(full_name, method, {**about, "kind": "method"})


def topic_documents() -> Iterator[Document]:
    """The chapters of the language reference that `help("with")` shows."""
    try:
        from pydoc_data.topics import topics
    except ImportError:  # some distributions leave it out
        return
    for topic, text in topics.items():
        yield from passages(f"topic:{topic}", text, {"kind": "topic", "source": "pydoc_data/topics.py"})


def importable_modules() -> Iterator[tuple[str, ModuleType]]:
    for name in sorted(MODULES):
        try:
            module = importlib.import_module(name)
        except ImportError:  # made for another operating system
            continue
        yield name, module


def public_members(module_name: str, module: ModuleType) -> Iterator[tuple[str, object]]:
    """The functions and classes that are at home in a module."""
    for name in sorted(getattr(module, "__all__", None) or vars(module)):
        member = getattr(module, name, None)
        if not name.startswith("_") and (inspect.isroutine(member) or inspect.isclass(member)):
            home = getattr(member, "__module__", None)
            shown_in = home if home in MODULES and home in sys.modules else module_name
            own_name = getattr(member, "__name__", name)
            is_at_home = (shown_in, own_name) == (module_name, name)
            if is_at_home or getattr(sys.modules[shown_in], own_name, None) is not member:
                yield name, member


def public_methods(thing: object) -> Iterator[tuple[str, object]]:
    """The methods and properties that a class itself defines; nothing for what is no class."""
    for name in vars(thing) if inspect.isclass(thing) else ():
        method = getattr(thing, name, None)
        if not name.startswith("_") and (inspect.isroutine(method) or isinstance(method, property)):
            yield name, method


def documents_of(name: str, thing: object, metadata: dict[str, str]) -> Iterator[Document]:
    docstring = getattr(thing, "__doc__", None)
    if isinstance(docstring, str) and docstring.strip():
        heading = name if inspect.ismodule(thing) or inspect.isclass(thing) else name + signature_of(thing)
        yield from passages(name, f"{heading}\n\n{inspect.cleandoc(docstring)}", metadata)


def passages(name: str, text: str, metadata: dict[str, str]) -> Iterator[Document]:
    """The text as documents of a size that a prompt has room for; further ones have a number in their id."""
    taken: list[list[str]] = [[]]
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if sum(map(len, taken[-1])) + len(paragraph) > LONGEST_PASSAGE and taken[-1]:
            taken.append([f"{name} (part {len(taken) + 1})"])
        taken[-1].append(paragraph)
    for number, paragraphs in enumerate(taken, start=1):
        identifier = name if number == 1 else f"{name}#{number}"
        yield Document("\n\n".join(paragraphs), {**metadata, "doc_uri": name}, identifier)


def signature_of(thing: object) -> str:
    try:
        return str(inspect.signature(thing))  # type: ignore[arg-type]
    except (TypeError, ValueError, AttributeError):  # not callable, or written in C without one that can be read
        return ""


def source_of(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    if not file:
        return "built-in"
    path = Path(file)
    return path.relative_to(STDLIB).as_posix() if path.is_relative_to(STDLIB) else path.name
