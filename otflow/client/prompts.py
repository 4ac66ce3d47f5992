"""Prompts: templates with versions and aliases, in the registry."""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Final

from otflow import context
from otflow.client.connected import Connected, string_values
from otflow.client.prompt_cache import (
    LATEST,
    PREFIX,
    Reference,
    checked_ttl,
    done_before,
    place,
    prompt_cache,
    reference,
    undone,
)
from otflow.entities import Page
from otflow.entities.model_registry import ModelVersion, Prompt, PromptVersion
from otflow.errors import AlreadyExistsError, ArgumentTypeError, InvalidParameterError, NotFoundError, OtflowError
from otflow.search.prompt_fields import as_models, as_versions
from otflow.semconv import PromptKey, RunKey
from otflow.wire.prompt_links import linked_prompts
from otflow.wire.prompts import (
    OF_VERSIONS,
    SOURCE,
    model_tags,
    prompt_from_model,
    prompt_from_version,
    version_tags,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

    from otflow.entities.model_registry import PromptModelConfig

__all__ = ["PromptClient"]

_logger = logging.getLogger("otflow")

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+").fullmatch
_LONGEST: Final = 100_000
"""The longest template, in characters: as long as the value of a tag may be."""
_PAGE: Final = 1000


class PromptClient(Connected):
    """Prompts: names, their versions, and the aliases by which versions are found."""

    # -- making ----------------------------------------------------------------------------------

    def register_prompt(
        self,
        name: str,
        template: str | list[dict[str, Any]],
        commit_message: str | None = None,
        tags: dict[str, str] | None = None,
        response_format: type[BaseModel] | dict[str, Any] | None = None,
        model_config: PromptModelConfig | dict[str, Any] | None = None,
    ) -> PromptVersion:
        """Add a version to a prompt, which is made where there is none; see `otflow.register_prompt`."""
        checked = _checked_name(name)
        prompt = _drafted(checked, template, tags, response_format, model_config)
        try:
            made = self._registry().create_model_version(
                checked,
                SOURCE,
                tags=version_tags(prompt),
                description=commit_message,
                create_model=True,
                model_tags=model_tags(prompt.tags, [context.experiment_id()]),
                model_description=commit_message,
                prompt=True,
            )
        except AlreadyExistsError as error:
            raise InvalidParameterError(
                f"{checked!r} is the name of a registered model; a prompt and a model cannot have the same name"
            ) from error
        finally:
            self._forget_latest(checked)
        return prompt_from_version(made)

    def create_prompt(self, name: str, description: str | None = None, tags: dict[str, str] | None = None) -> Prompt:
        """Make a prompt without a version; `register_prompt` makes both.

        Args:
            name: Its name: letters, digits, `-`, `_` and `.`.
            description: What it is.
            tags: Its first tags.

        Raises:
            AlreadyExistsError: there is a prompt or a registered model of this name.
            InvalidParameterError: an argument is not allowed.
        """
        made = model_tags(_free(string_values(tags), {PromptKey.IS_PROMPT}))
        return prompt_from_model(
            self._registry().create_registered_model(_checked_name(name), tags=made, description=description)
        )

    def create_prompt_version(
        self,
        name: str,
        template: str | list[dict[str, Any]],
        description: str | None = None,
        tags: dict[str, str] | None = None,
        response_format: type[BaseModel] | dict[str, Any] | None = None,
        model_config: PromptModelConfig | dict[str, Any] | None = None,
    ) -> PromptVersion:
        """Add a version to a prompt that is there; `description` is its commit message. See `register_prompt`.

        Raises:
            NotFoundError: no such prompt.
            InvalidParameterError: an argument is not allowed.
        """
        prompt = _drafted(name, template, tags, response_format, model_config)
        try:
            made = self._registry().create_model_version(
                name, SOURCE, tags=version_tags(prompt), description=description, prompt=True
            )
        finally:
            self._forget_latest(name)
        return prompt_from_version(made)

    # -- reading -----------------------------------------------------------------------------------

    def load_prompt(
        self,
        name_or_uri: str,
        version: str | int | None = None,
        allow_missing: bool = False,
        cache_ttl_seconds: float | None = None,
    ) -> PromptVersion | None:
        """A version of a prompt, out of memory where it is known; nothing is linked. See `otflow.load_prompt`."""
        wanted = reference(name_or_uri, version)
        ttl_s = checked_ttl(cache_ttl_seconds)
        try:
            prompt = self._loaded(wanted, ttl_s)
        except NotFoundError as error:
            if allow_missing:
                return None
            raise self._reason(wanted.name, error) from None
        except InvalidParameterError:
            # So the registry says that there is no such alias.
            if allow_missing and wanted.alias is not None:
                return None
            raise
        self._note_experiment(wanted.name)
        return prompt

    def get_prompt(self, name: str) -> Prompt | None:
        """A prompt with its tags, without its versions; None where there is none."""
        try:
            return prompt_from_model(self._registry().get_registered_model(name, prompt=True))
        except NotFoundError:
            return None

    def get_prompt_version(self, name: str, version: str | int) -> PromptVersion | None:
        """A version of a prompt, from the registry and not out of memory.

        Args:
            name: The name of the prompt.
            version: The number of the version, or an alias.

        Raises:
            NotFoundError: no such prompt, or no such version.
            InvalidParameterError: no such alias, or the name is that of a model.
        """
        number = str(version).strip()
        if number.removeprefix("-").isdecimal() and not isinstance(version, bool):
            return prompt_from_version(self._found(Reference(name, int(number), None)))
        return self.get_prompt_version_by_alias(name, str(version))

    def get_prompt_version_by_alias(self, name: str, alias: str) -> PromptVersion:
        """The version that an alias means, from the registry and not out of memory.

        Raises:
            NotFoundError: no such prompt.
            InvalidParameterError: no such alias, or the name is that of a model.
        """
        is_latest = isinstance(alias, str) and alias.lower() == LATEST  # pyright: ignore[reportUnnecessaryIsInstance]
        return prompt_from_version(self._found(Reference(name, None, LATEST if is_latest else alias)))

    def search_prompts(
        self, filter_string: str | None = None, max_results: int = _PAGE, page_token: str | None = None
    ) -> Page[Prompt]:
        """One page of the prompts that match, by name; see `otflow.search_prompts`."""
        found = self._registry().search_registered_models(
            filter_string=as_models(filter_string),
            max_results=_PAGE if max_results is None else max_results,  # pyright: ignore[reportUnnecessaryComparison]
            page_token=page_token,
        )
        return Page([prompt_from_model(model) for model in found], found.token)

    def search_prompt_versions(
        self, name: str, max_results: int | None = None, page_token: str | None = None
    ) -> Page[PromptVersion]:
        """One page of the versions of a prompt, the newest first; a prompt that is not there has none.

        Args:
            name: The name of the prompt.
            max_results: How many versions, 1000 by default.
            page_token: Where to go on: the `token` of the page before.
        """
        found = self._registry().search_model_versions(
            filter_string=as_versions(name),
            order_by=["version_number DESC"],
            max_results=_PAGE if max_results is None else max_results,
            page_token=page_token,
        )
        return Page([prompt_from_version(version) for version in found], found.token)

    def parse_prompt_uri(self, uri: str) -> tuple[str, str]:
        """The name and the number of the version that a URI means; an alias is looked up.

        Raises:
            NotFoundError: no such prompt.
            InvalidParameterError: it is no URI of a prompt, or there is no such alias.
        """
        if not isinstance(uri, str) or not uri.startswith(PREFIX):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidParameterError(f"The URI of a prompt begins with {PREFIX!r}, got {uri!r}")
        wanted = reference(uri)
        return wanted.name, str(wanted.version if wanted.alias is None else self._loaded(wanted, 0).version)

    # -- changing ----------------------------------------------------------------------------------

    def set_prompt_tag(self, name: str, key: str, value: str) -> None:
        """Set a tag of a prompt. Raises NotFoundError, InvalidParameterError."""
        _free({key: value}, {PromptKey.IS_PROMPT})
        self._registry().set_registered_model_tag(name, key, str(value), prompt=True)

    def delete_prompt_tag(self, name: str, key: str) -> None:
        """Delete a tag of a prompt; one that is not there is no error. Raises NotFoundError for the prompt."""
        _free({key: ""}, {PromptKey.IS_PROMPT})
        self._registry().delete_registered_model_tag(name, key, prompt=True)

    def set_prompt_version_tag(self, name: str, version: str | int, key: str, value: str) -> None:
        """Set a tag of a version of a prompt. What the version says cannot be changed by it.

        Raises:
            NotFoundError: no such version.
            InvalidParameterError: the key is one of those that say what the version is, or is not allowed.
        """
        _free({key: value}, OF_VERSIONS)
        self._set_version_tag(name, version, key, str(value))

    def delete_prompt_version_tag(self, name: str, version: str | int, key: str) -> None:
        """Delete a tag of a version of a prompt; one that is not there is no error.

        Raises:
            NotFoundError: no such version.
            InvalidParameterError: the key is one of those that say what the version is.
        """
        _free({key: ""}, OF_VERSIONS)
        self._delete_version_tag(name, version, key)

    def set_prompt_model_config(
        self, name: str, version: str | int, model_config: PromptModelConfig | dict[str, Any]
    ) -> None:
        """Say how a version of a prompt is to be sent to a model; see `otflow.genai.set_prompt_model_config`."""
        drafted = PromptVersion(name, 0, "", model_config=model_config)
        if drafted.model_config is None:
            raise ArgumentTypeError("model_config must be a PromptModelConfig or a dict, got None")
        self._set_version_tag(name, version, PromptKey.MODEL_CONFIG, version_tags(drafted)[PromptKey.MODEL_CONFIG])

    def delete_prompt_model_config(self, name: str, version: str | int) -> None:
        """Take back what `set_prompt_model_config` said; nothing said is no error. Raises NotFoundError."""
        self._delete_version_tag(name, version, PromptKey.MODEL_CONFIG)

    def set_prompt_alias(self, name: str, alias: str, version: int) -> None:
        """Make an alias mean a version, whatever it meant; see `otflow.set_prompt_alias`."""
        number = _version_number(version)
        try:
            self._registry().set_registered_model_alias(name, alias, number, prompt=True)
        finally:
            self._forget_alias(name, alias, int(number))

    def delete_prompt_alias(self, name: str, alias: str) -> None:
        """Delete an alias; one that is not there is no error. Raises NotFoundError for the prompt."""
        try:
            self._registry().delete_registered_model_alias(name, alias, prompt=True)
        finally:
            self._forget_alias(name, alias, None)

    def delete_prompt_version(self, name: str, version: str) -> None:
        """Delete a version of a prompt with its tags and the aliases that mean it. Raises NotFoundError."""
        number = _version_number(version)
        try:
            self._registry().delete_model_version(name, number, prompt=True)
        finally:
            self._forget_version(name, int(number))

    def delete_prompt(self, name: str) -> None:
        """Delete a prompt with all its versions. Raises NotFoundError."""
        try:
            self._registry().delete_registered_model(name, prompt=True)
        finally:
            prompt_cache.forget(self._place, name, lambda _asked, _prompt: True)

    # -- links -------------------------------------------------------------------------------------

    def link_prompt_version_to_run(self, run_id: str, prompt: str | PromptVersion) -> None:
        """Say of a run that it has used a version of a prompt: in its tag `mlflow.linkedPrompts`.

        Args:
            run_id: The run.
            prompt: The version, or its URI.

        Raises:
            NotFoundError: no such run, prompt or version.
            InvalidParameterError: it is neither a version nor its URI.
        """
        self._store().link_prompts_to_run(run_id, [self._pair(prompt)])

    def detach_prompt_from_run(self, run_id: str, prompt_uri: str) -> None:
        """Undo `link_prompt_version_to_run`.

        Raises:
            NotFoundError: no such run.
            InvalidParameterError: the run is not linked to it.
        """
        wanted = reference(prompt_uri)
        version = wanted.version if wanted.alias is None else self._loaded(wanted, None).version
        pair = (wanted.name, str(version))
        self._store().unlink_prompt_from_run(run_id, pair)
        undone("run", self.place, run_id, *pair)

    def list_logged_prompts(self, run_id: str) -> list[PromptVersion]:
        """The versions of prompts that a run has used, in the order of their first use; deleted ones are left out.

        Raises:
            NotFoundError: no such run.
        """
        found: list[PromptVersion] = []
        for name, version in linked_prompts(self._store().get_run(run_id).data.tags.get(RunKey.LINKED_PROMPTS)):
            try:
                found.append(self._loaded(reference(name, version), None))
            except NotFoundError:
                continue
        return found

    def link_prompt_version_to_model(self, name: str, version: str, model_id: str) -> None:
        """Say of a logged model that it uses a version of a prompt: in its tag `mlflow.linkedPrompts`.

        Raises:
            NotFoundError: no such prompt, version or logged model.
        """
        prompt = self._loaded(reference(name, version), None)
        self._store().link_prompts_to_logged_model(model_id, [(prompt.name, str(prompt.version))])

    # -- inside ------------------------------------------------------------------------------------

    @property
    def _place(self) -> Hashable:
        return place(self._registry_uri)

    def _loaded(self, wanted: Reference, ttl_s: float | None) -> PromptVersion:
        """The version, out of memory where it is known."""
        where = self._place
        found = prompt_cache.get(where, wanted, ttl_s)
        if found is None:
            epoch = prompt_cache.epoch
            found = prompt_from_version(self._fetched(wanted))
            prompt_cache.put(where, wanted, found, epoch, ttl_s)
        return found

    def _fetched(self, wanted: Reference) -> ModelVersion:
        registry = self._registry()
        if wanted.alias is None:
            return registry.get_model_version(wanted.name, str(wanted.version), prompt=True)
        if wanted.alias == LATEST:
            return registry.get_latest_version(wanted.name, prompt=True)
        return registry.get_model_version_by_alias(wanted.name, wanted.alias, prompt=True)

    def _found(self, wanted: Reference) -> ModelVersion:
        """What `_fetched` finds; where it finds nothing, the error says so of a model's name."""
        try:
            return self._fetched(wanted)
        except NotFoundError as error:
            raise self._reason(wanted.name, error) from None

    def _reason(self, name: str, absent: NotFoundError) -> OtflowError:
        """Why there is no such prompt: the name may be that of a model."""
        try:
            self._registry().get_registered_model(name, prompt=False)
        except OtflowError:
            return absent
        return InvalidParameterError(
            f"Name {name!r} is registered as a model, not a prompt: read it by get_model_version()"
        )

    def _pair(self, prompt: object) -> tuple[str, str]:
        if isinstance(prompt, PromptVersion):
            return prompt.name, str(prompt.version)
        if isinstance(prompt, str):
            loaded = self._loaded(reference(prompt), None)
            return loaded.name, str(loaded.version)
        raise ArgumentTypeError(f"prompt must be a PromptVersion or the URI of one, got {prompt!r}")

    def _note_experiment(self, name: str) -> None:
        """Say of a prompt that the active experiment uses it, once in this process; no load fails for it."""
        try:
            experiment_id = context.experiment_id()
            said = ("experiment", self._place, name, experiment_id)
            if done_before(*said):
                return
            try:
                self._registry().link_prompt_to_experiment(name, experiment_id)
            except BaseException:
                undone(*said)
                raise
        except OtflowError as error:
            _logger.debug("The prompt %r could not be linked to the active experiment: %s", name, error)

    def _set_version_tag(self, name: str, version: object, key: str, value: str) -> None:
        number = _version_number(version)
        try:
            self._registry().set_model_version_tag(name, number, key, value, prompt=True)
        finally:
            self._forget_version(name, int(number))

    def _delete_version_tag(self, name: str, version: object, key: str) -> None:
        number = _version_number(version)
        try:
            self._registry().delete_model_version_tag(name, number, key, prompt=True)
        finally:
            self._forget_version(name, int(number))

    def _forget_latest(self, name: str) -> None:
        prompt_cache.forget(self._place, name, lambda asked, _prompt: asked.alias == LATEST)

    def _forget_version(self, name: str, version: int) -> None:
        prompt_cache.forget(self._place, name, lambda _asked, prompt: prompt.version == version)

    def _forget_alias(self, name: str, alias: str, version: int | None) -> None:
        """Forget what an alias meant, and the versions that have it or had it: each lists its aliases."""
        prompt_cache.forget(
            self._place,
            name,
            lambda asked, prompt: asked.alias == alias or alias in prompt.aliases or prompt.version == version,
        )


def _drafted(
    name: str, template: Any, tags: dict[str, str] | None, response_format: Any, model_config: Any
) -> PromptVersion:
    """What a new version is to say, checked; an empty response format or configuration is none, as in MLflow."""
    if isinstance(template, str) and len(template) > _LONGEST:
        raise InvalidParameterError(
            f"The template of a prompt has at most {_LONGEST} characters, this one has {len(template)}"
        )
    return PromptVersion(
        name,
        0,
        template,
        tags=string_values(tags),
        response_format=response_format or None,
        model_config=model_config or None,
    )


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise InvalidParameterError(f"The name of a prompt must be a non-empty string, got {name!r}")
    if _NAME(name) is None:
        raise InvalidParameterError(
            f"The name of a prompt has only letters and digits of ASCII, hyphens, underscores and dots, got {name!r}"
        )
    return name


def _version_number(version: Any) -> str:
    """The number of a version as the registry takes it."""
    number = reference("_", version).version if version is not None else None
    if number is None:
        raise InvalidParameterError(f"version must be the number of a version, got {version!r}")
    return str(number)


def _free(tags: dict[str, Any], taken: set[str] | frozenset[str]) -> dict[str, Any]:
    """The tags, if they are the caller's to choose."""
    for key in tags:
        if key in taken:
            raise InvalidParameterError(
                f"The tag {key!r} says what a prompt is; it cannot be set or deleted. To change a prompt, register a"
                " new version"
            )
    return tags
