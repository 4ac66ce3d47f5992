"""Schema 4: workspaces; registered models and prompts with their versions; webhooks and what they are still to be told.

A prompt is a registered model with `is_prompt` set, as on the wire, where the tag `mlflow.prompt.is_prompt` says so:
the two share their names. Models have numbers, by which what hangs on them refers to them, so that to rename one is to
change one row. Versions count from 1 in each model, whatever the number of writers: who adds one raises
`last_version`, which the others wait for; numbers of deleted versions are not given out again.
"""

from __future__ import annotations

from otflow.store.sql.dialect import Dialect

NAME = "registry"


def statements(dialect: Dialect) -> list[str]:
    """The statements that add these tables to schema 3."""
    text, clustered = dialect.text, dialect.clustered
    return [
        f"""CREATE TABLE workspaces (
            name {text} PRIMARY KEY,
            description {text},
            default_artifact_root {text}){clustered}""",
        "INSERT INTO workspaces (name, description) VALUES ('default', 'Default workspace for legacy resources')",
        f"""CREATE TABLE registered_models (
            number {dialect.identity},
            workspace {text} NOT NULL,
            name {text} NOT NULL,
            is_prompt INTEGER NOT NULL,
            description {text},
            deployment_job_id {text},
            last_version BIGINT NOT NULL DEFAULT 0,
            creation_time_ms BIGINT NOT NULL,
            last_update_time_ms BIGINT NOT NULL,
            UNIQUE (workspace, name))""",
        """CREATE INDEX registered_models_by_time ON registered_models
            (workspace, is_prompt, last_update_time_ms DESC, name)""",
        f"""CREATE TABLE registered_model_tags (
            model BIGINT NOT NULL,
            key {text} NOT NULL,
            value {text} NOT NULL,
            PRIMARY KEY (model, key)){clustered}""",
        f"""CREATE TABLE registered_model_aliases (
            model BIGINT NOT NULL,
            alias {text} NOT NULL,
            version BIGINT NOT NULL,
            PRIMARY KEY (model, alias)){clustered}""",
        # storage_location: where the artifacts are, if not at source.
        f"""CREATE TABLE model_versions (
            model BIGINT NOT NULL,
            version BIGINT NOT NULL,
            description {text},
            user_id {text},
            current_stage {text} NOT NULL,
            source {text},
            storage_location {text},
            run_id {text},
            run_link {text},
            model_id {text},
            status {text} NOT NULL,
            status_message {text},
            creation_time_ms BIGINT NOT NULL,
            last_update_time_ms BIGINT NOT NULL,
            PRIMARY KEY (model, version)){clustered}""",
        "CREATE INDEX model_versions_by_time ON model_versions (last_update_time_ms DESC)",
        # The latest version of each stage is at the end of its range.
        "CREATE INDEX model_versions_by_stage ON model_versions (model, current_stage, version)",
        "CREATE INDEX model_versions_by_run ON model_versions (run_id) WHERE run_id IS NOT NULL",
        "CREATE INDEX model_versions_by_model_id ON model_versions (model_id) WHERE model_id IS NOT NULL",
        f"""CREATE TABLE model_version_tags (
            model BIGINT NOT NULL,
            version BIGINT NOT NULL,
            key {text} NOT NULL,
            value {text} NOT NULL,
            PRIMARY KEY (model, version, key)){clustered}""",
        # events is a JSON list of texts such as "prompt.created".
        f"""CREATE TABLE webhooks (
            webhook_id {text} PRIMARY KEY,
            workspace {text} NOT NULL,
            name {text} NOT NULL,
            description {text},
            url {text} NOT NULL,
            events {text} NOT NULL,
            status {text} NOT NULL,
            secret {text},
            creation_time_ms BIGINT NOT NULL,
            last_update_time_ms BIGINT NOT NULL){clustered}""",
        "CREATE INDEX webhooks_by_workspace ON webhooks (workspace, creation_time_ms, webhook_id)",
        # What was written together with the change that it tells of, until it was delivered or given up.
        f"""CREATE TABLE webhook_deliveries (
            number {dialect.identity},
            delivery_id {text} NOT NULL UNIQUE,
            webhook_id {text} NOT NULL,
            event {text} NOT NULL,
            body {text} NOT NULL,
            attempts BIGINT NOT NULL,
            due_ms BIGINT NOT NULL)""",
        "CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (due_ms)",
    ]
