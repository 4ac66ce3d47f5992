"""The registry behind an HTTP server."""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from otflow.entities.model_registry import ModelVersion, RegisteredModel
from otflow.entities.page import Page
from otflow.errors import AlreadyExistsError, InvalidParameterError, NotFoundError, OtflowError
from otflow.search.grammar import parse_filter, parse_order_by
from otflow.search.registry_fields import REGISTERED_MODEL_FIELDS, VERSION_FIELDS, RegisteredModelField
from otflow.search.tree import Comparison, Entity, Op, to_text
from otflow.semconv import PromptKey, RegistryKey
from otflow.store import validation
from otflow.store.registry import RegistryStore
from otflow.store.registry_validation import (
    ACTIVE_STAGES,
    LATEST,
    MAX_MODELS,
    MAX_VERSIONS,
    absent_model,
    absent_version,
    check_alias,
    check_kind_of_tag,
    check_name,
    check_new_alias,
    check_stage,
    check_stages,
    check_tag,
    check_tag_key,
    check_tags,
    check_text,
    check_version,
    is_prompt,
    taken,
)
from otflow.store.remote.client import HttpClient
from otflow.wire import endpoints
from otflow.wire.endpoints import Endpoint
from otflow.wire.prompts import with_experiments
from otflow.wire.registry import registered_model_from_json, version_from_json
from otflow.wire.runs import pairs_to_json
from otflow.wire.scalars import Json, member, members

__all__ = ["Kinds", "RemoteRegistry"]

_KNOWN: Final = 1024
_MOST_COLLISIONS: Final = 20
"""How often a version is sent whose number somebody else was given."""
_NO_PROMPT: Final = Comparison(RegisteredModelField.TAG, RegistryKey.IS_PROMPT, Op.NE, "true")


class Kinds:
    """Which names are known to be prompts, and which to be none, with their tags; of many the last that were used."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[bool, dict[str, str] | None]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> bool | None:
        """Whether a name is that of a prompt; None where it is not known."""
        known = self._look(name)
        return None if known is None else known[0]

    def tags(self, name: str) -> dict[str, str] | None:
        """The tags that it had when it was seen last, with those that were set since; None where it is not known."""
        known = self._look(name)
        return None if known is None else known[1]

    def _look(self, name: str) -> tuple[bool, dict[str, str] | None] | None:
        with self._lock:
            known = self._known.get(name)
            if known is not None:
                self._known.move_to_end(name)
            return known

    def note(self, name: str, kind: bool, tags: Mapping[str, str] | None = None) -> None:
        """Note whether a name is that of a prompt, and its tags where they are seen."""
        with self._lock:
            self._known[name] = (kind, None if tags is None else dict(tags))
            self._known.move_to_end(name)
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)

    def forget_tags(self, name: str) -> None:
        """Note that its tags are others from now on."""
        with self._lock:
            known = self._known.get(name)
            if known is not None:
                self._known[name] = (known[0], None)

    def forget(self, name: str) -> None:
        """Note that a name may mean something else, or nothing, from now on."""
        with self._lock:
            self._known.pop(name, None)


class RemoteRegistry(RegistryStore):
    """The part of the remote store that has to do with the registry."""

    _http: HttpClient
    _kinds: Kinds

    # -- registered models -----------------------------------------------------------------------

    def create_registered_model(
        self,
        name: str,
        *,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        checked = check_tags(tags)
        body = _given(
            name=check_name(name),
            tags=pairs_to_json(checked),
            description=check_text("description", description),
            deployment_job_id=check_text("deployment_job_id", deployment_job_id),
        )
        model = self._model(endpoints.CREATE_REGISTERED_MODEL, body=body)
        self._kinds.note(model.name, is_prompt(checked), checked)
        return model

    def get_registered_model(self, name: str, *, prompt: bool | None = None) -> RegisteredModel:
        model = self._model(endpoints.GET_REGISTERED_MODEL, query={"name": check_name(name)})
        kind = is_prompt(model.tags)
        self._kinds.note(model.name, kind, model.tags)
        if prompt not in (None, kind):
            raise absent_model(name)
        return model

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        body = {"name": check_name(name), "new_name": check_name(new_name)}
        answer = self._http.call(endpoints.RENAME_REGISTERED_MODEL, body=body)
        for one in (name, new_name):
            self._kinds.forget(one)
        data = member(answer, "registered_model", "registered model")
        return registered_model_from_json(data, self._http.workspace) if data else self.get_registered_model(new_name)

    def update_registered_model(
        self, name: str, *, description: str | None = None, deployment_job_id: str | None = None
    ) -> RegisteredModel:
        body = _given(
            name=check_name(name),
            description=check_text("description", description),
            deployment_job_id=check_text("deployment_job_id", deployment_job_id),
        )
        return self._model(endpoints.UPDATE_REGISTERED_MODEL, body=body)

    def delete_registered_model(self, name: str, *, prompt: bool | None = None) -> None:
        self._named(name, prompt)
        self._http.call(endpoints.DELETE_REGISTERED_MODEL, body={"name": check_name(name)})
        self._kinds.forget(name)

    def search_registered_models(
        self,
        *,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 100,
        page_token: str | None = None,
    ) -> Page[RegisteredModel]:
        validation.check_max_results(max_results, MAX_MODELS)
        query = _search(filter_string, order_by, max_results, page_token, REGISTERED_MODEL_FIELDS)
        answer = self._http.call(endpoints.SEARCH_REGISTERED_MODELS, query=query)
        found = [
            registered_model_from_json(data, self._http.workspace)
            for data in members(answer, "registered_models", "list of registered models")
        ]
        return Page(found, answer.get("next_page_token") or None)

    def set_registered_model_tag(self, name: str, key: str, value: str, *, prompt: bool | None = None) -> None:
        key, value = check_tag(key, value)
        kind = self._kind(name) if key == RegistryKey.IS_PROMPT else self._named(name, prompt)
        if kind is not None:
            check_kind_of_tag(key, value, prompt=kind)
        self._http.call(endpoints.SET_REGISTERED_MODEL_TAG, body={"name": check_name(name), "key": key, "value": value})
        self._kinds.forget_tags(name)

    def delete_registered_model_tag(self, name: str, key: str, *, prompt: bool | None = None) -> None:
        key = check_tag_key(key)
        kind = self._kind(name) if key == RegistryKey.IS_PROMPT else self._named(name, prompt)
        if kind is not None:
            check_kind_of_tag(key, None, prompt=kind)
        self._http.call(endpoints.DELETE_REGISTERED_MODEL_TAG, body={"name": check_name(name), "key": key})
        self._kinds.forget_tags(name)

    def set_registered_model_alias(self, name: str, alias: str, version: str, *, prompt: bool | None = None) -> None:
        body = {"alias": check_new_alias(alias), **_version(name, version)}
        self._named(name, prompt)
        self._http.call(endpoints.SET_REGISTERED_MODEL_ALIAS, body=body)

    def delete_registered_model_alias(self, name: str, alias: str, *, prompt: bool | None = None) -> None:
        alias = check_alias(alias)
        self._named(name, prompt)
        self._http.call(endpoints.DELETE_REGISTERED_MODEL_ALIAS, body={"name": check_name(name), "alias": alias})

    # -- versions --------------------------------------------------------------------------------

    def get_model_version_by_alias(self, name: str, alias: str, *, prompt: bool | None = None) -> ModelVersion:
        if check_alias(alias).lower() == LATEST:
            return self.get_latest_version(name, prompt=prompt)
        query = {"name": check_name(name), "alias": alias}
        if prompt:
            return self._prompt_version(endpoints.GET_MODEL_VERSION_BY_ALIAS, query)
        self._named(name, prompt)
        return self._one_version(endpoints.GET_MODEL_VERSION_BY_ALIAS, query=query)

    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None, *, prompt: bool | None = None
    ) -> list[ModelVersion]:
        body = _given(name=check_name(name), stages=check_stages(stages))
        self._named(name, prompt)
        answer = self._http.call(endpoints.GET_LATEST_VERSIONS, body=body)
        found = members(answer, "model_versions", "list of model versions")
        return sorted(
            (version_from_json(data, self._http.workspace) for data in found), key=lambda version: int(version.version)
        )

    def get_latest_version(self, name: str, *, prompt: bool | None = None) -> ModelVersion:
        if prompt:
            return self._latest_of_prompt(name)
        # The latest of all is the latest of its stage.
        found = self.get_latest_versions(name, prompt=prompt)
        if not found:
            raise NotFoundError(f"{'Prompt' if prompt else 'Registered Model'} with name={name} has no versions")
        return found[-1]

    def create_model_version(
        self,
        name: str,
        source: str,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        model_id: str | None = None,
        storage_location: str | None = None,
        create_model: bool = False,
        model_tags: Mapping[str, str] | None = None,
        model_description: str | None = None,
        prompt: bool | None = None,
    ) -> ModelVersion:
        body = _given(
            name=check_name(name),
            # The server looks for both `source` and the logged model: where it cannot know them, it gets neither.
            source=check_text("source", source) if storage_location is None else storage_location,
            run_id=check_text("run_id", run_id),
            tags=pairs_to_json(check_tags(tags)),
            run_link=check_text("run_link", run_link),
            description=check_text("description", description),
            model_id=check_text("model_id", model_id) if storage_location is None else None,
        )
        made_with = check_tags(model_tags) | ({RegistryKey.IS_PROMPT: "true"} if prompt else {})
        try:
            self._require_kind(name, prompt, conflict=create_model)
            made = self._add(body)
        except NotFoundError:
            self._kinds.forget(name)
            if not create_model:
                raise
            with suppress(AlreadyExistsError):  # somebody else has made it meanwhile
                self.create_registered_model(name, tags=made_with, description=model_description)
            self._require_kind(name, prompt, conflict=True)
            made = self._add(body)
        if create_model and prompt and model_tags:
            self._add_tags(name, made_with)
        return made

    def link_prompt_to_experiment(self, name: str, experiment_id: str) -> None:
        self._named(name, True)
        self._add_tags(name, {PromptKey.EXPERIMENT_IDS: with_experiments(None, [experiment_id])})

    def _add(self, body: Json) -> ModelVersion:
        """Add a version, again while others are quicker: MLflow's server gives two one number, and refuses one."""
        tries = 1
        while True:
            try:
                return self._add_once(body)
            except AlreadyExistsError:
                if tries == _MOST_COLLISIONS:
                    raise
            time.sleep(random.uniform(0, 0.02 * tries))
            tries += 1

    def _add_once(self, body: Json) -> ModelVersion:
        try:
            return self._one_version(endpoints.CREATE_MODEL_VERSION, body=body)
        except OtflowError as error:
            if error.error_code == "INTERNAL_ERROR" and "Unable to fetch model" in error.message:
                # How MLflow's server says that there is nothing at a source `models:/…`.
                raise InvalidParameterError(error.message) from None
            raise

    def get_model_version(self, name: str, version: str, *, prompt: bool | None = None) -> ModelVersion:
        query = _version(name, version)
        if prompt:
            return self._prompt_version(endpoints.GET_MODEL_VERSION, query)
        self._named(name, prompt, version)
        return self._one_version(endpoints.GET_MODEL_VERSION, query=query)

    def update_model_version(self, name: str, version: str, *, description: str | None = None) -> ModelVersion:
        body = {**_version(name, version), "description": check_text("description", description)}
        if description is None:
            raise InvalidParameterError("Attempting to update model version with no new field values.")
        return self._one_version(endpoints.UPDATE_MODEL_VERSION, body=body)

    def transition_model_version_stage(
        self, name: str, version: str, stage: str, *, archive_existing_versions: bool = False
    ) -> ModelVersion:
        target = check_stage(stage)
        if archive_existing_versions and target not in ACTIVE_STAGES:
            raise InvalidParameterError(
                f"Model version transition cannot archive existing model versions because '{target}' is not an Active"
                f" stage. Valid stages are {list(ACTIVE_STAGES)}"
            )
        body = {**_version(name, version), "stage": target, "archive_existing_versions": archive_existing_versions}
        return self._one_version(endpoints.TRANSITION_MODEL_VERSION, body=body)

    def delete_model_version(self, name: str, version: str, *, prompt: bool | None = None) -> None:
        body = _version(name, version)
        self._named(name, prompt, version)
        # MLflow's server leaves aliases behind that mean no version.
        aliases = self._one_version(endpoints.GET_MODEL_VERSION, query=body).aliases
        self._http.call(endpoints.DELETE_MODEL_VERSION, body=body)
        for alias in aliases:
            with suppress(NotFoundError):
                self._http.call(endpoints.DELETE_REGISTERED_MODEL_ALIAS, body={"name": name, "alias": alias})

    def get_model_version_download_uri(self, name: str, version: str) -> str:
        answer = self._http.call(endpoints.GET_MODEL_VERSION_URI, query=_version(name, version))
        return str(answer.get("artifact_uri") or "")

    def search_model_versions(
        self,
        *,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        max_results: int = 10_000,
        page_token: str | None = None,
    ) -> Page[ModelVersion]:
        validation.check_max_results(max_results, MAX_VERSIONS)
        query = _search(filter_string, order_by, max_results, page_token, VERSION_FIELDS)
        answer = self._http.call(endpoints.SEARCH_MODEL_VERSIONS, query=query)
        found = members(answer, "model_versions", "list of model versions")
        return Page(
            [version_from_json(data, self._http.workspace) for data in found], answer.get("next_page_token") or None
        )

    def set_model_version_tag(
        self, name: str, version: str, key: str, value: str, *, prompt: bool | None = None
    ) -> None:
        key, value = check_tag(key, value)
        body = {**_version(name, version), "key": key, "value": value}
        self._named(name, prompt, version)
        self._http.call(endpoints.SET_MODEL_VERSION_TAG, body=body)

    def delete_model_version_tag(self, name: str, version: str, key: str, *, prompt: bool | None = None) -> None:
        body = {**_version(name, version), "key": check_tag_key(key)}
        self._named(name, prompt, version)
        self._http.call(endpoints.DELETE_MODEL_VERSION_TAG, body=body)

    # -- inside ----------------------------------------------------------------------------------

    def _prompt_version(self, endpoint: Endpoint, query: Json) -> ModelVersion:
        """A version of a prompt. One that says itself that it is one saves asking what the name is that of."""
        found = self._one_version(endpoint, query=query)
        if not is_prompt(found.tags):
            self._named(query["name"], True, found.version)
        return found

    def _latest_of_prompt(self, name: str) -> ModelVersion:
        """The version with the highest number, which is the latest one of its stage."""
        model = self.get_registered_model(name, prompt=True)
        if not model.latest_versions:
            raise NotFoundError(f"Prompt with name={name} has no versions")
        found = max(model.latest_versions, key=lambda version: int(version.version))
        found.aliases = sorted(alias for alias, version in model.aliases.items() if str(version) == found.version)
        return found

    def _add_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Set tags of a registered model that it is not known to have; of those that name experiments add the ids."""
        known = self._kinds.tags(name)
        ids = tags.get(PromptKey.EXPERIMENT_IDS)
        if known is None or _with_ids(known, ids) != known.get(PromptKey.EXPERIMENT_IDS, ""):
            known = self.get_registered_model(name).tags  # others may have added theirs
        wanted = {**tags, PromptKey.EXPERIMENT_IDS: _with_ids(known, ids)} if ids else dict(tags)
        for key, value in wanted.items():
            if key != RegistryKey.IS_PROMPT and known.get(key) != value:
                body = {"name": check_name(name), "key": key, "value": value}
                self._http.call(endpoints.SET_REGISTERED_MODEL_TAG, body=body)
        self._kinds.note(name, is_prompt(known), {**known, **wanted})

    def _model(self, endpoint: Endpoint, *, query: Json | None = None, body: Json | None = None) -> RegisteredModel:
        answer = self._http.call(endpoint, query=query, body=body)
        return registered_model_from_json(member(answer, "registered_model", "registered model"), self._http.workspace)

    def _one_version(self, endpoint: Endpoint, *, query: Json | None = None, body: Json | None = None) -> ModelVersion:
        answer = self._http.call(endpoint, query=query, body=body)
        return version_from_json(member(answer, "model_version", "model version"), self._http.workspace)

    def _kind(self, name: str) -> bool:
        """Whether a name is that of a prompt; asks the server for what it has not seen. Raises NotFoundError."""
        known = self._kinds.get(check_name(name))
        return is_prompt(self.get_registered_model(name).tags) if known is None else known

    def _named(self, name: str, prompt: bool | None, version: object = None) -> bool | None:
        """Whether a name is that of a prompt, where it must be one or none. Raises NotFoundError where it is not.

        That something is not there is asked again each time; that it is there is remembered.
        """
        if prompt is None:
            return None
        try:
            if self._kinds.get(check_name(name)) != prompt:
                self.get_registered_model(name, prompt=prompt)
        except NotFoundError:
            if version is not None:
                raise absent_version(name, version) from None
            raise
        return prompt

    def _require_kind(self, name: str, prompt: bool | None, *, conflict: bool) -> None:
        """`_named`, where a name that is of the other kind may be taken rather than missing."""
        if prompt is None or self._kinds.get(name) == prompt:
            return
        if is_prompt(self.get_registered_model(name).tags) != prompt:
            raise taken(name, by_prompt=not prompt, for_prompt=prompt) if conflict else absent_model(name)


def _with_ids(tags: Mapping[str, str], ids: str | None) -> str:
    """The value of the tag that names experiments, with further ids."""
    return with_experiments(tags.get(PromptKey.EXPERIMENT_IDS), (ids or "").split(","))


def _given(**members: Any) -> dict[str, Any]:
    """What is there of a request."""
    return {key: value for key, value in members.items() if value not in (None, [])}


def _version(name: str, version: object) -> dict[str, Any]:
    """What names a version in a request."""
    check_version(version)
    return {"name": check_name(name), "version": str(version)}


def _search(
    text: str | None, clauses: Sequence[str] | None, max_results: int, page_token: str | None, entity: Entity
) -> dict[str, Any]:
    """A search in the words of MLflow's server, which knows fewer names than otflow."""
    comparisons = list(parse_filter(text, entity))
    if entity is REGISTERED_MODEL_FIELDS and all(one.key != RegistryKey.IS_PROMPT for one in comparisons):
        comparisons.append(_NO_PROMPT)
    order = [str(key) for key in parse_order_by(clauses, entity)[: len(clauses or ())]]
    return _given(
        filter=to_text(comparisons) or None, order_by=order, max_results=max_results, page_token=page_token or None
    )
