"""What is asked of prompts, as it is asked of registered models."""

from __future__ import annotations

import pytest

from otflow.errors import FilterError
from otflow.search.prompt_fields import as_models, as_versions

IS_PROMPT = "tags.`mlflow.prompt.is_prompt` = 'true'"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (None, IS_PROMPT),
        ("", IS_PROMPT),
        ("name LIKE 'p%'", f"{IS_PROMPT} AND name LIKE 'p%'"),
        ("tag.team = 'a' AND name = 'b'", f"{IS_PROMPT} AND tags.`team` = 'a' AND name = 'b'"),
        ("experiment_id = '7'", f"{IS_PROMPT} AND tags.`_mlflow_experiment_ids` LIKE '%,7,%'"),
        ('attributes.name = "it\'s"', f'{IS_PROMPT} AND name = "it\'s"'),
    ],
)
def test_filters(text: str | None, asked: str):
    assert as_models(text) == asked


@pytest.mark.parametrize(
    "text",
    [
        "experiment_id = 7",
        "experiment_id != '7'",
        "experiment_id LIKE '7%'",
        "experiment_id IN ('7')",
        "experiment_id = '%'",
        "experiment_id = '1_'",
        "version = 3",
        "name = 'a' OR name = 'b'",
        "name",
    ],
)
def test_what_cannot_be_asked(text: str):
    with pytest.raises(FilterError):
        as_models(text)


def test_versions():
    assert as_versions("a'b") == f'name = "a\'b" AND {IS_PROMPT}'
