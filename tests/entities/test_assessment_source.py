"""Who says so."""

from __future__ import annotations

import pytest

from otflow.entities import AssessmentSource, AssessmentSourceType
from otflow.errors import InvalidParameterError


def test_kinds():
    assert {key: value for key, value in vars(AssessmentSourceType).items() if key.isupper()} == {
        "SOURCE_TYPE_UNSPECIFIED": "SOURCE_TYPE_UNSPECIFIED",
        "LLM_JUDGE": "LLM_JUDGE",
        "AI_JUDGE": "AI_JUDGE",
        "HUMAN": "HUMAN",
        "CODE": "CODE",
    }


@pytest.mark.parametrize("name", ["HUMAN", "human", "Human"])
def test_in_any_case(name):
    assert AssessmentSource(name) == AssessmentSource("HUMAN", "default")
    assert str(AssessmentSourceType(name)) == "HUMAN"
    assert AssessmentSourceType(name) == "HUMAN"
    assert AssessmentSourceType(name) == AssessmentSourceType("HUMAN")
    assert len({AssessmentSourceType(name), AssessmentSourceType("HUMAN")}) == 1


@pytest.mark.parametrize("name", ["ROBOT", "", " human ", None, 5])
def test_no_kind(name):
    message = r"Invalid assessment source type: .*Valid source types: \['SOURCE_TYPE_UNSPECIFIED', 'LLM_JUDGE'"
    with pytest.raises(InvalidParameterError, match=message):
        AssessmentSource(name)
    with pytest.raises(InvalidParameterError, match=message):
        AssessmentSourceType(name)


def test_former_name():
    with pytest.warns(FutureWarning, match="AI_JUDGE is deprecated") as warned:
        assert AssessmentSource("ai_judge", "gpt") == AssessmentSource("LLM_JUDGE", "gpt")
    assert [warning.filename for warning in warned] == [__file__]


def test_dictionaries():
    source = AssessmentSource("HUMAN", "me")
    assert source.to_dictionary() == {"source_type": "HUMAN", "source_id": "me"}
    assert AssessmentSource.from_dictionary(source.to_dictionary()) == source
    assert AssessmentSource.from_dictionary({"source_type": "CODE"}) == AssessmentSource("CODE", "default")
    assert repr(source) == "AssessmentSource(source_type='HUMAN', source_id='me')"


@pytest.mark.parametrize("data", [{}, {"source_type": "ROBOT"}, None, "HUMAN"])
def test_no_dictionary(data):
    with pytest.raises(InvalidParameterError):
        AssessmentSource.from_dictionary(data)
