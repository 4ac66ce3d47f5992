"""`otflow run`."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from typing import Any

from otflow.cli.output import put
from otflow.errors import InvalidParameterError

__all__ = ["run"]


def run(arguments: Any) -> int:
    """Run a project, and wait for its end."""
    from otflow import context, projects

    if arguments.store:
        context.set_tracking_uri(arguments.store)
    _show_progress()
    submitted = projects.run(
        arguments.uri,
        entry_point=arguments.entry_point or arguments.entry or "main",
        version=arguments.version,
        parameters=_pairs(arguments.param_list, "--param-list", flags=False),
        docker_args=_pairs(arguments.docker_args, "--docker-args", flags=True),
        experiment_name=arguments.experiment_name,
        experiment_id=arguments.experiment_id,
        backend=arguments.backend,
        backend_config=_config(arguments.backend_config),
        storage_dir=arguments.storage_dir,
        run_id=arguments.run_id,
        run_name=arguments.run_name,
        env_manager=arguments.env_manager,
        build_image=arguments.build_image,
    )
    put(submitted.run_id)
    return 0


def _show_progress() -> None:
    """Say on stderr what is done, where a person looks."""
    if not sys.stderr.isatty():
        return
    logger = logging.getLogger("otflow")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)


def _pairs(words: Iterable[str], option: str, *, flags: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not name or (not separator and not flags):
            raise InvalidParameterError(f"{option} takes NAME=VALUE, not {word!r}")
        if name in found:
            raise InvalidParameterError(f"{option} names {name!r} twice")
        found[name] = value if separator else True
    return found


def _config(text: str | None) -> Any:
    if text is None or text.endswith(".json"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidParameterError(
            f"--backend-config takes the path of a file that ends in '.json', or a JSON object, not {text!r}"
        ) from None
