"""Schema 3: runs with their metrics, params, tags and datasets; logged models.

Runs and datasets have numbers, by which what hangs on them refers to them: a history may have millions of rows.
As for traces, nothing but tags of experiments has foreign keys; runs and models are marked deleted, never removed.
Runs that begin within one millisecond keep their order: times of their beginning are in nanoseconds.
A value that is NaN is 0 with `is_nan` set: SQLite has no NaN, and a key must not be NULL.
"""

from __future__ import annotations

from otflow.store.sql.dialect import Dialect

NAME = "runs"


def statements(dialect: Dialect) -> list[str]:
    """The statements that add these tables to schema 2."""
    text, real = dialect.text, "DOUBLE PRECISION" if dialect is Dialect.POSTGRESQL else "REAL"
    clustered = dialect.clustered
    return [
        f"""CREATE TABLE runs (
            number {dialect.identity},
            run_id {text} NOT NULL UNIQUE,
            experiment_id BIGINT NOT NULL,
            name {text} NOT NULL,
            user_id {text} NOT NULL,
            status {text} NOT NULL,
            start_ns BIGINT NOT NULL,
            end_time_ms BIGINT,
            lifecycle_stage {text} NOT NULL,
            artifact_uri {text} NOT NULL)""",
        "CREATE INDEX runs_by_time ON runs (experiment_id, lifecycle_stage, start_ns DESC, run_id)",
        f"""CREATE TABLE run_tags (
            run BIGINT NOT NULL,
            key {text} NOT NULL,
            value {text} NOT NULL,
            PRIMARY KEY (run, key)){clustered}""",
        f"""CREATE TABLE run_params (
            run BIGINT NOT NULL,
            key {text} NOT NULL,
            value {text} NOT NULL,
            PRIMARY KEY (run, key)){clustered}""",
        # The history: each point once.
        f"""CREATE TABLE run_metrics (
            run BIGINT NOT NULL,
            key {text} NOT NULL,
            time_ms BIGINT NOT NULL,
            step BIGINT NOT NULL,
            value {real} NOT NULL,
            is_nan INTEGER NOT NULL,
            PRIMARY KEY (run, key, time_ms, step, value, is_nan)){clustered}""",
        # The last point of each metric of each run: what runs are searched and listed by.
        f"""CREATE TABLE latest_metrics (
            run BIGINT NOT NULL,
            key {text} NOT NULL,
            experiment_id BIGINT NOT NULL,
            time_ms BIGINT NOT NULL,
            step BIGINT NOT NULL,
            value {real} NOT NULL,
            is_nan INTEGER NOT NULL,
            PRIMARY KEY (run, key)){clustered}""",
        "CREATE INDEX latest_metrics_by_value ON latest_metrics (experiment_id, key, is_nan, value, run)",
        f"""CREATE TABLE datasets (
            number {dialect.identity},
            experiment_id BIGINT NOT NULL,
            name {text} NOT NULL,
            digest {text} NOT NULL,
            source_type {text} NOT NULL,
            source {text} NOT NULL,
            schema {text},
            profile {text},
            UNIQUE (experiment_id, name, digest))""",
        # tags is a JSON object; context is its mlflow.data.context. They are listed by position.
        f"""CREATE TABLE run_datasets (
            run BIGINT NOT NULL,
            dataset BIGINT NOT NULL,
            context {text},
            tags {text} NOT NULL,
            position BIGINT NOT NULL,
            PRIMARY KEY (run, dataset)){clustered}""",
        "CREATE INDEX run_datasets_by_dataset ON run_datasets (dataset)",
        # made: whether the run made the model (1) or used it (0).
        f"""CREATE TABLE run_models (
            run BIGINT NOT NULL,
            made INTEGER NOT NULL,
            model_id {text} NOT NULL,
            step BIGINT NOT NULL,
            position BIGINT NOT NULL,
            PRIMARY KEY (run, made, model_id)){clustered}""",
        "CREATE INDEX run_models_by_model ON run_models (model_id)",
        f"""CREATE TABLE logged_models (
            number {dialect.identity},
            model_id {text} NOT NULL UNIQUE,
            experiment_id BIGINT NOT NULL,
            name {text} NOT NULL,
            artifact_location {text} NOT NULL,
            creation_time_ms BIGINT NOT NULL,
            last_update_time_ms BIGINT NOT NULL,
            status {text} NOT NULL,
            status_message {text},
            lifecycle_stage {text} NOT NULL,
            model_type {text},
            source_run_id {text})""",
        """CREATE INDEX logged_models_by_time ON logged_models
            (experiment_id, lifecycle_stage, creation_time_ms DESC, number DESC)""",
        "CREATE INDEX logged_models_by_name ON logged_models (experiment_id, name, creation_time_ms DESC)",
        *(
            f"""CREATE TABLE logged_model_{things} (
            model_id {text} NOT NULL,
            key {text} NOT NULL,
            value {text} NOT NULL,
            PRIMARY KEY (model_id, key)){clustered}"""
            for things in ("tags", "params")
        ),
        # Every point, as run_metrics has them; an empty dataset is none.
        f"""CREATE TABLE logged_model_metrics (
            model_id {text} NOT NULL,
            key {text} NOT NULL,
            dataset_name {text} NOT NULL,
            dataset_digest {text} NOT NULL,
            run BIGINT NOT NULL,
            time_ms BIGINT NOT NULL,
            step BIGINT NOT NULL,
            value {real} NOT NULL,
            is_nan INTEGER NOT NULL,
            PRIMARY KEY (model_id, key, dataset_name, dataset_digest, run, time_ms, step, value, is_nan)){clustered}""",
    ]
