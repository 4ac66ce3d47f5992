"""The command line: its commands, options and help."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Any, NoReturn

__all__ = ["EXIT_CODES", "USAGE_ERROR", "build_parser"]

USAGE_ERROR = 2
EXIT_CODES = (
    (0, "done"),
    (1, "it failed; one sentence on stderr says why"),
    (2, "the command line is wrong"),
    (3, "`db check` or `doctor` found problems, or `db import` could not bring everything over"),
    (130, "interrupted by Ctrl-C"),
    (141, "nobody read the output any more, as in `otflow traces search | head`"),
)

_STORE = (
    "the store: sqlite:///file.db, postgresql://…, http(s)://…, or a directory; by default that of"
    " OTFLOW_TRACKING_URI or MLFLOW_TRACKING_URI, else the file otflow.db in the working directory"
)
_INTO = (
    "the database that is written, made where there is none; by default that of OTFLOW_TRACKING_URI or"
    " MLFLOW_TRACKING_URI, else the file otflow.db in the working directory"
)
_FORMATS = ("jsonl", "otlp", "otlp-json", "parquet")


class _Parser(argparse.ArgumentParser):
    def __init__(self, **given: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **given)

    def error(self, message: str) -> NoReturn:
        from otflow.cli.output import say

        say(f"{self.prog}: {message}\nTry: {self.prog} --help")
        sys.exit(USAGE_ERROR)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; `run` of what it returns is the command."""
    parser = _Parser(
        prog="otflow",
        description=(
            "Look at traces and prompts, carry traces from store to store, keep a database in order, and run projects."
        ),
        epilog=(
            "examples:\n"
            "  otflow traces search --filter \"status = 'ERROR'\" --limit 20\n"
            "  otflow traces get tr-0123456789abcdef0123456789abcdef\n"
            "  otflow traces export -o traces.jsonl\n"
            "  otflow db check\n"
            "\nexit codes:\n" + "\n".join(f"  {code:<4} {meaning.replace('`', '')}" for code, meaning in EXIT_CODES)
        ),
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    _debug(parser, False)
    nouns = _subcommands(parser)
    _traces(_subcommands(nouns.add_parser("traces", help="search, show, follow, export and import traces")))
    _webhooks(_subcommands(nouns.add_parser("webhooks", help="list and test webhooks, deliver what is left")))
    _prompts(_subcommands(nouns.add_parser("prompts", help="list, show, compare and register prompts")))
    _db(_subcommands(nouns.add_parser("db", help="upgrade, check, vacuum, move and import a database")))
    _doctor(nouns)
    _run(nouns)
    return parser


class _Version(argparse.Action):
    def __init__(self, **given: Any) -> None:
        super().__init__(nargs=0, **given)

    def __call__(self, *given: Any) -> None:
        del given
        from otflow import __version__
        from otflow.cli.output import put

        put(f"otflow {__version__}")
        sys.exit(0)


def _subcommands(parser: argparse.ArgumentParser) -> Any:
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _command(commands: Any, name: str, run: str, summary: str, examples: str, more: str = "") -> Any:
    """A command that is run by the function `run`, as module:name, imported when it is run."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.{f' {more}' if more else ''}",
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples.splitlines()),
    )
    module, _, function = run.partition(":")

    def call(arguments: Any) -> int:
        return getattr(import_module(f"otflow.cli.{module}"), function)(arguments)

    parser.set_defaults(run=call)
    _debug(parser, argparse.SUPPRESS)
    return parser


def _debug(parser: Any, default: Any) -> None:
    parser.add_argument("--debug", action="store_true", default=default, help="show a traceback where it fails")


# -- options that several commands have ----------------------------------------------------------------


def _store_option(parser: Any) -> None:
    parser.add_argument("-s", "--store", metavar="URI", help=_STORE)


def _which(parser: Any) -> None:
    _store_option(parser)
    parser.add_argument(
        "-e",
        "--experiment",
        metavar="NAME",
        action="append",
        help="name or id of an experiment; may be repeated; by default the one that OTFLOW_EXPERIMENT_NAME or"
        " OTFLOW_EXPERIMENT_ID names, else all that are not deleted",
    )
    parser.add_argument("--filter", metavar="EXPRESSION", help="a search expression, as in otflow.search_traces")


def _order_and_limit(parser: Any, default: int | None) -> None:
    parser.add_argument(
        "--order-by",
        metavar="CLAUSE",
        action="append",
        help='an order clause such as "execution_time_ms DESC"; may be repeated; by default the newest first',
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=_limit,
        default=default,
        help=f"how many traces at most; 0 or all for no limit; by default {'all' if default is None else default}",
    )


def _output(parser: Any) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to; - is stdout, the default")


def _limit(text: str) -> int | None:
    if text in ("0", "all"):
        return None
    return _positive(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.01 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.01 to 3600")
    return value


# -- traces --------------------------------------------------------------------------------------------


def _traces(commands: Any) -> None:
    search = _command(
        commands,
        "search",
        "looking:search",
        "list the traces that match",
        "otflow traces search\n"
        "otflow traces search -e agents --filter \"tags.env = 'prod' AND status = 'ERROR'\" --limit 20\n"
        'otflow traces search --order-by "execution_time_ms DESC" --limit all --format jsonl | jq -r .trace_id',
        "On a terminal as a table, else as a JSON object a line; an explicit --format is obeyed in both cases."
        " Spans are shown by --format tree only.",
    )
    _which(search)
    _order_and_limit(search, 100)
    search.add_argument("--format", choices=("table", "json", "jsonl", "tree"), help="how to print them")
    _output(search)

    get = _command(
        commands,
        "get",
        "looking:get",
        "show traces, whole",
        "otflow traces get tr-0123456789abcdef0123456789abcdef\n"
        "otflow traces get --format json tr-0123456789abcdef0123456789abcdef | jq .data.spans[0].name",
        "On a terminal as a tree, else as JSON.",
    )
    get.add_argument("trace_id", metavar="ID", nargs="+", help="id of a trace, with or without tr-")
    _store_option(get)
    get.add_argument("--format", choices=("tree", "json", "jsonl", "otlp", "otlp-json"), help="how to print them")
    _output(get)

    tail = _command(
        commands,
        "tail",
        "following:tail",
        "show the last traces, and follow those that come",
        "otflow traces tail -f\notflow traces tail -f -e agents --filter \"status = 'ERROR'\" --format jsonl",
        "Oldest first. A trace that is still running is shown when it is seen, and again when it ends.",
    )
    _which(tail)
    begin = "how many to begin with; by default 10"
    tail.add_argument("-n", "--limit", metavar="N", type=_count, default=10, help=begin)
    tail.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    tail.add_argument(
        "--interval", metavar="SECONDS", type=_seconds, default=1.0, help="how often to look; 1 by default"
    )
    tail.add_argument("--count", metavar="N", type=_positive, help="end after so many lines")
    tail.add_argument("--format", choices=("table", "jsonl"), help="how to print them")

    export = _command(
        commands,
        "export",
        "carrying:export",
        "write traces to a file",
        "otflow traces export -o traces.jsonl\n"
        "otflow traces export -e agents --filter \"status = 'OK'\" -o traces.parquet\n"
        "otflow traces export --format otlp-json | gzip > traces.otlp.json.gz",
        "jsonl and parquet hold all of a trace; otlp (protobuf requests, each after its length) and otlp-json (a"
        " request a line) hold its spans, and the rest as an attribute of the first one.",
    )
    _which(export)
    _order_and_limit(export, None)
    export.add_argument(
        "--format", choices=_FORMATS, help="by default what the name of the file says, else jsonl; .gz packs it"
    )
    _output(export)

    load = _command(
        commands,
        "import",
        "carrying:load",
        "read traces from files",
        "otflow traces import traces.jsonl\n"
        "otflow traces import -s postgresql://user@host/traces *.parquet\n"
        "otflow traces import -e from-collector collector-output.json",
        "Ids are kept, so that to import a file again changes nothing. Also read are traces that MLflow has written"
        " (Trace.to_json) and OTLP from other sources.",
    )
    load.add_argument("file", metavar="FILE", nargs="+", help="a file, packed by gzip or not; - is stdin")
    _store_option(load)
    load.add_argument(
        "-e",
        "--experiment",
        metavar="NAME",
        help="where to, created if need be; by default the experiment that the file names, else the one that"
        " OTFLOW_EXPERIMENT_NAME or OTFLOW_EXPERIMENT_ID names, else Default",
    )
    load.add_argument("--format", choices=_FORMATS, help="by default what the file looks like")


# -- webhooks ------------------------------------------------------------------------------------------


def _webhooks(commands: Any) -> None:
    show = _command(
        commands,
        "list",
        "webhooks:show",
        "list the webhooks",
        "otflow webhooks list\notflow webhooks list --format jsonl | jq -r .webhook_id",
        "On a terminal as a table, else as a JSON object a line. Queries and the last parts of paths are not shown.",
    )
    _store_option(show)
    show.add_argument("--format", choices=("table", "jsonl"), help="how to print them")

    test = _command(
        commands,
        "test",
        "webhooks:test",
        "call a webhook with an example",
        "otflow webhooks test 0b9e2b0e-6a0c-4d27-9a39-5c3f6a1f2f10\n"
        "otflow webhooks test --event prompt_alias.created 0b9e2b0e-6a0c-4d27-9a39-5c3f6a1f2f10",
        "Once, whether it is active or not. Ends with 1 where the receiver does not take it.",
    )
    test.add_argument("webhook_id", metavar="ID", help="id of a webhook")
    test.add_argument("--event", metavar="EVENT", help="of which event; by default the first one of the webhook")
    _store_option(test)

    deliver = _command(
        commands,
        "deliver",
        "webhooks:deliver",
        "tell webhooks what processes that have ended left behind",
        "otflow webhooks deliver\notflow webhooks deliver --timeout 300",
    )
    _store_option(deliver)
    deliver.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=60.0, help="how long to take at most; 60 by default"
    )


# -- prompts -------------------------------------------------------------------------------------------


def _prompts(commands: Any) -> None:
    listing = _command(
        commands,
        "list",
        "prompts:listing",
        "list the prompts that match",
        "otflow prompts list\n"
        "otflow prompts list --filter \"name LIKE 'support-%' AND tags.team = 'search'\" --format jsonl",
        "On a terminal as a table, else as a JSON object a line.",
    )
    _store_option(listing)
    listing.add_argument("--filter", metavar="EXPRESSION", help="a search expression, as in otflow.search_prompts")
    listing.add_argument(
        "--limit", metavar="N", type=_limit, help="how many at most; 0 or all for no limit, the default"
    )
    _prompt_format(listing)

    versions = _command(
        commands,
        "versions",
        "prompts:versions",
        "list the versions of a prompt",
        "otflow prompts versions greeting",
        "The newest first. On a terminal as a table, else as a JSON object a line.",
    )
    versions.add_argument("name", metavar="NAME", help="the name of the prompt")
    _store_option(versions)
    _prompt_format(versions)

    named = "a version of a prompt: NAME/VERSION, NAME@ALIAS, or NAME for the latest; with or without prompts:/"
    show = _command(
        commands,
        "show",
        "prompts:show",
        "show a version of a prompt",
        "otflow prompts show greeting\notflow prompts show greeting@production --format json | jq -r .template",
        "On a terminal as text, else as JSON.",
    )
    show.add_argument("prompt", metavar="PROMPT", help=named)
    _store_option(show)
    show.add_argument("--format", choices=("text", "json"), help="how to print it")

    diff = _command(
        commands,
        "diff",
        "prompts:diff",
        "show what changes from one version of a prompt to another",
        "otflow prompts diff greeting@production greeting\notflow prompts diff greeting/1 greeting/2 -U 0",
        "A unified diff of template, response format and model configuration; nothing where they are the same.",
    )
    diff.add_argument("before", metavar="FROM", help=named)
    diff.add_argument("after", metavar="TO", help="the other version")
    _store_option(diff)
    diff.add_argument("-U", "--context", metavar="N", type=_count, default=3, help="equal lines around; by default 3")

    register = _command(
        commands,
        "register",
        "prompts:register",
        "register a version of a prompt",
        "otflow prompts register greeting greeting.txt -m 'Friendlier'\n"
        "otflow prompts register support --chat messages.json --tag team=search --alias staging",
        "Prints the URI of the new version.",
    )
    register.add_argument("name", metavar="NAME", help="the name of the prompt, which is made where there is none")
    register.add_argument("file", metavar="FILE", help="the template; - is stdin")
    _store_option(register)
    register.add_argument("-m", "--message", metavar="TEXT", help="what this version changes")
    register.add_argument("--chat", action="store_true", help="the file holds chat messages, as a JSON list")
    register.add_argument("--tag", metavar="KEY=VALUE", action="append", help="a tag of the version; may be repeated")
    register.add_argument("--alias", metavar="ALIAS", action="append", help="an alias that is to mean it")

    alias = _command(
        commands,
        "alias",
        "prompts:alias",
        "make an alias mean a version of a prompt",
        "otflow prompts alias greeting production 2\notflow prompts alias greeting staging --delete",
    )
    alias.add_argument("name", metavar="NAME", help="the name of the prompt")
    alias.add_argument("alias", metavar="ALIAS", help="the alias")
    alias.add_argument("version", metavar="VERSION", type=_positive, nargs="?", help="the number of the version")
    _store_option(alias)
    alias.add_argument("--delete", action="store_true", help="delete the alias")


def _prompt_format(parser: Any) -> None:
    parser.add_argument("--format", choices=("table", "json", "jsonl"), help="how to print them")


# -- databases -----------------------------------------------------------------------------------------


def _db(commands: Any) -> None:
    upgrade = _command(
        commands,
        "upgrade",
        "databases:upgrade",
        "bring the schema of a database up to date",
        "otflow db upgrade --dry-run\notflow db upgrade sqlite:////var/lib/traces.db",
        "Make a copy of it before.",
    )
    _place(upgrade)
    upgrade.add_argument("--dry-run", action="store_true", help="only say what would be done")

    check = _command(
        commands,
        "check",
        "databases:check",
        "look whether a database holds together",
        "otflow db check\notflow db check postgresql://user@host/traces",
        "Changes nothing. Ends with 3 where there are problems.",
    )
    _place(check)

    vacuum = _command(
        commands,
        "vacuum",
        "databases:vacuum",
        "give back the room that deleted rows have left",
        "otflow db vacuum",
        "A SQLite file cannot be written to meanwhile.",
    )
    _place(vacuum)

    move = _command(
        commands,
        "move",
        "databases:move",
        "copy a whole store into another, empty database",
        "otflow db move sqlite:////var/lib/traces.db postgresql://user@host/traces\n"
        "otflow db move postgresql://user@host/traces sqlite:///traces.db",
        "Between SQLite and PostgreSQL, both ways: all or nothing, verified by a checksum of every table."
        " The source stays as it is; what is written to it meanwhile is not copied.",
    )
    move.add_argument("source", metavar="FROM", help="the database that is read")
    move.add_argument("target", metavar="TO", help="the database that is written")

    load = _command(
        commands,
        "import",
        "migrating:load",
        "bring over what MLflow has recorded",
        "otflow db import sqlite:///mlflow.db --dry-run\n"
        "otflow db import ./mlruns --into sqlite:///otflow.db\n"
        "otflow db import postgresql://user@host/mlflow --into postgresql://user@host/otflow",
        "Experiments, runs, metrics, datasets, logged models, traces, assessments, registered models, prompts and"
        " webhooks, with their ids. MLflow's database is only read; artifacts stay where they are. It can be repeated:"
        " what is new or changed in MLflow is added, what was made in otflow stays. Ends with 3 where something could"
        " not be read.",
    )
    load.add_argument(
        "source", metavar="FROM", help="a database of MLflow's (sqlite:///…, postgresql://…, a file), or its directory"
    )
    load.add_argument("--into", metavar="URI", help=_INTO)
    load.add_argument(
        "--artifacts",
        metavar="DIR",
        help="where MLflow's server keeps what it gives out as mlflow-artifacts: (its --artifacts-destination), a"
        " directory or a URI; without it such locations stay, and mean that server",
    )
    load.add_argument("--dry-run", action="store_true", help="only say what would be done")


def _place(parser: Any) -> None:
    parser.add_argument("uri", metavar="URI", nargs="?", help="the database; the same as --store")
    _store_option(parser)


def _doctor(commands: Any) -> None:
    doctor = _command(
        commands,
        "doctor",
        "databases:doctor",
        "say how otflow is set up here, and what is wrong with it",
        "otflow doctor\notflow doctor --json",
        "Secrets are masked. Ends with 3 where there are problems.",
    )
    _store_option(doctor)
    doctor.add_argument("--json", action="store_true", help="as JSON")


# -- projects ------------------------------------------------------------------------------------------


def _run(commands: Any) -> None:
    run = _command(
        commands,
        "run",
        "projects:run",
        "run a project",
        "otflow run . -P alpha=0.5\n"
        "otflow run https://example.com/team/project.git#training -v v2 -e validate -P data=runs:/0123/data\n"
        "otflow run . train.py --env-manager local -P epochs=3",
        "A directory, or a git repository, with or without an MLproject file. Prints the id of the run.",
    )
    run.add_argument("uri", metavar="URI", help="a path, or the URI of a git repository; #subdirectory behind it")
    run.add_argument(
        "entry", metavar="ENTRY", nargs="?", help="the same as --entry-point, where that is not given; main by default"
    )
    run.add_argument("-e", "--entry-point", metavar="NAME", help="an entry point, or a .py or .sh file")
    run.add_argument("-v", "--version", metavar="VERSION", help="for git: a branch, a tag or a commit")
    run.add_argument(
        "-P", "--param-list", metavar="NAME=VALUE", action="append", default=[], help="a parameter; may be repeated"
    )
    run.add_argument(
        "-A",
        "--docker-args",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of docker run, without =VALUE one that has none; may be repeated",
    )
    run.add_argument("--experiment-name", metavar="NAME", help="the experiment of the run, created if need be")
    run.add_argument("--experiment-id", metavar="ID", help="the experiment of the run")
    run.add_argument("-b", "--backend", metavar="NAME", default="local", help="local, kubernetes, or that of a package")
    run.add_argument(
        "-c", "--backend-config", metavar="CONFIG", help="what the backend has to know: a file .json, or a JSON object"
    )
    run.add_argument(
        "--env-manager",
        metavar="NAME",
        help="local, virtualenv, uv or conda; by default what the project has a file for",
    )
    run.add_argument("--storage-dir", metavar="DIR", help="where files that parameters name by URIs are downloaded to")
    run.add_argument("--run-id", metavar="ID", help="a run to go on with")
    run.add_argument("--run-name", metavar="NAME", help="the name of the run")
    run.add_argument("--build-image", action="store_true", help="build an image that has the project in it")
    _store_option(run)
