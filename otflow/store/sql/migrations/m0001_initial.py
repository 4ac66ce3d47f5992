r"""Schema 1: experiments, traces, spans, assessments, and what links them.

JSON is kept as text: PostgreSQL's jsonb refuses NaN and `\u0000`, and would give keys back in another order.
`traces` and what hangs on it have no foreign keys: each costs a lookup per row written. Writers check the experiment,
and `delete_traces` is the only way in which a trace disappears.
"""

from __future__ import annotations

from otflow.store.sql.dialect import Dialect

NAME = "initial"

_JSON_FUNCTION = """
CREATE FUNCTION otflow_json(content TEXT) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN content::jsonb;
EXCEPTION WHEN OTHERS THEN
    BEGIN
        -- What Python's json writes and jsonb does not take: NUL characters, and numbers that are not finite.
        RETURN regexp_replace(
            replace(content, '\\u0000', '\\u2400'), '([:,\\[]\\s*)(NaN|-?Infinity)', '\\1"\\2"', 'g')::jsonb;
    EXCEPTION WHEN OTHERS THEN
        RETURN NULL;
    END;
END $$
"""


def statements(dialect: Dialect) -> list[str]:
    """The statements that make this schema out of nothing."""
    text, real = dialect.text, "DOUBLE PRECISION" if dialect is Dialect.POSTGRESQL else "REAL"
    if dialect is Dialect.SQLITE:
        terms_key = ", PRIMARY KEY (experiment_id, field, value, time_ns DESC, trace_id)"
        extra: list[str] = []
    else:
        terms_key = ""  # a primary key cannot descend here: the unique index is the key
        extra = [
            """CREATE UNIQUE INDEX trace_terms_key
            ON trace_terms (experiment_id, field, value, time_ns DESC, trace_id)""",
            _JSON_FUNCTION,
        ]
    return [
        f"""CREATE TABLE experiments (
            experiment_id {dialect.identity},
            name {text} NOT NULL,
            artifact_location {text} NOT NULL,
            lifecycle_stage {text} NOT NULL,
            creation_time_ms BIGINT NOT NULL,
            last_update_time_ms BIGINT NOT NULL,
            workspace {text} NOT NULL DEFAULT 'default',
            UNIQUE (workspace, name))""",
        f"""CREATE TABLE experiment_tags (
            experiment_id BIGINT NOT NULL REFERENCES experiments,
            key {text} NOT NULL,
            value {text} NOT NULL,
            PRIMARY KEY (experiment_id, key)){dialect.clustered}""",
        # The columns up to model_id are what the list view and the common filters need. tags is a JSON object without
        # mlflow.traceName (that is `name`) and the tags that are synthesized on reading; stats is a JSON object of the
        # metadata that follow from the spans, NULL while they must be computed on reading; merging is the
        # JSON text of what a later write is merged with, NULL where the columns say it all.
        f"""CREATE TABLE traces (
            trace_id {text} PRIMARY KEY,
            experiment_id BIGINT NOT NULL,
            time_ns BIGINT NOT NULL,
            duration_ms BIGINT,
            state {text} NOT NULL,
            name {text},
            client_request_id {text},
            request_preview {text},
            response_preview {text},
            session_id {text},
            user_id {text},
            run_id {text},
            model_id {text},
            tags {text} NOT NULL,
            metadata {text} NOT NULL,
            stats {text},
            merging {text})""",
        "CREATE INDEX traces_by_time ON traces (experiment_id, time_ns DESC, trace_id)",
        "CREATE INDEX traces_by_state ON traces (experiment_id, state, time_ns DESC, trace_id)",
        "CREATE INDEX traces_by_name ON traces (experiment_id, name, time_ns DESC, trace_id)",
        *(
            f"CREATE INDEX traces_by_{column} ON traces (experiment_id, {column}, time_ns DESC, trace_id)"
            f" WHERE {column} IS NOT NULL"
            for column in ("session_id", "user_id", "run_id", "model_id", "client_request_id")
        ),
        f"""CREATE TABLE trace_terms (
            experiment_id BIGINT NOT NULL,
            field {text} NOT NULL,
            value {text} NOT NULL,
            time_ns BIGINT NOT NULL,
            trace_id {text} NOT NULL{terms_key}){dialect.clustered}""",
        # usage and cost are the JSON texts of the attributes mlflow.chat.tokenUsage and mlflow.llm.cost;
        # size is the length of content in bytes.
        f"""CREATE TABLE spans (
            trace_id {text} NOT NULL,
            span_id {text} NOT NULL,
            parent_id {text},
            name {text} NOT NULL,
            type {text} NOT NULL,
            status {text} NOT NULL,
            start_ns BIGINT NOT NULL,
            end_ns BIGINT,
            size BIGINT NOT NULL,
            usage {text},
            cost {text},
            content {text} NOT NULL,
            PRIMARY KEY (trace_id, span_id))""",
        # value is JSON text; number is the value where it is a number or a boolean, for comparisons; position is when
        # it was written, in nanoseconds: assessments of one millisecond keep their order.
        f"""CREATE TABLE assessments (
            assessment_id {text} PRIMARY KEY,
            trace_id {text} NOT NULL,
            name {text} NOT NULL,
            kind {text} NOT NULL,
            value {text},
            number {real},
            error {text},
            source_type {text} NOT NULL,
            source_id {text} NOT NULL,
            rationale {text},
            metadata {text},
            span_id {text},
            run_id {text},
            overrides {text},
            valid INTEGER NOT NULL,
            create_time_ms BIGINT NOT NULL,
            last_update_time_ms BIGINT NOT NULL,
            position BIGINT NOT NULL)""",
        "CREATE INDEX assessments_by_trace ON assessments (trace_id, create_time_ms, position)",
        "CREATE INDEX assessments_by_run ON assessments (run_id) WHERE run_id IS NOT NULL",
        f"""CREATE TABLE trace_runs (
            run_id {text} NOT NULL,
            trace_id {text} NOT NULL,
            PRIMARY KEY (run_id, trace_id)){dialect.clustered}""",
        "CREATE INDEX trace_runs_by_trace ON trace_runs (trace_id)",
        f"""CREATE TABLE trace_prompts (
            name {text} NOT NULL,
            version {text} NOT NULL,
            trace_id {text} NOT NULL,
            PRIMARY KEY (name, version, trace_id)){dialect.clustered}""",
        "CREATE INDEX trace_prompts_by_trace ON trace_prompts (trace_id)",
        *extra,
    ]
