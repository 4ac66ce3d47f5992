"""The error family: codes, HTTP statuses, JSON form, pickling."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from otflow import errors
from otflow.errors import (
    AlreadyExistsError,
    ArgumentTypeError,
    ExecutionError,
    FilterError,
    InvalidParameterError,
    InvalidStateError,
    MissingExtraError,
    MissingFileError,
    NotFoundError,
    OtflowError,
    SchemaVersionError,
    StoreUnavailableError,
    error_from_code,
)

FAMILY = [
    (OtflowError("m"), "INTERNAL_ERROR", 500),
    (InvalidParameterError("m"), "INVALID_PARAMETER_VALUE", 400),
    (ArgumentTypeError("m"), "INVALID_PARAMETER_VALUE", 400),
    (FilterError("m", "a = b", 4), "INVALID_PARAMETER_VALUE", 400),
    (NotFoundError("m"), "RESOURCE_DOES_NOT_EXIST", 404),
    (MissingFileError("m"), "RESOURCE_DOES_NOT_EXIST", 404),
    (AlreadyExistsError("m"), "RESOURCE_ALREADY_EXISTS", 400),
    (InvalidStateError("m"), "INVALID_STATE", 500),
    (ExecutionError("m"), "INTERNAL_ERROR", 500),
    (StoreUnavailableError("m"), "TEMPORARILY_UNAVAILABLE", 503),
    (SchemaVersionError("m"), "INVALID_STATE", 500),
    (MissingExtraError("psycopg", "postgres", "A PostgreSQL store"), "NOT_IMPLEMENTED", 501),
]
NAMES = [type(error).__name__ for error, _, _ in FAMILY]


@pytest.mark.parametrize(("error", "code", "status"), FAMILY, ids=NAMES)
def test_each_error_has_its_code_and_status_as_the_docstring_draws_them(error, code, status):
    assert isinstance(error, OtflowError)
    assert (error.error_code, error.get_http_status_code()) == (code, status)
    [line] = [line for line in (errors.__doc__ or "").splitlines() if f" {type(error).__name__} " in f" {line} "]
    assert line.endswith(f"{status} {code}")


@pytest.mark.parametrize(("error", "code", "status"), FAMILY, ids=NAMES)
def test_each_error_survives_pickling_and_copying(error, code, status):
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__
        assert again.args == error.args


def test_every_error_that_is_public_is_in_this_test():
    public = {name for name in errors.__all__ if name.endswith("Error")}
    assert public == set(NAMES)


def test_the_json_form_is_that_of_mlflows_rest_api():
    error = InvalidParameterError("no such view", details="x")
    assert json.loads(error.serialize_as_json()) == {
        "error_code": "INVALID_PARAMETER_VALUE",
        "message": "no such view",
        "details": "x",
    }


@pytest.mark.parametrize(
    ("given", "name"),
    [("RESOURCE_DOES_NOT_EXIST", "RESOURCE_DOES_NOT_EXIST"), (1000, "INVALID_PARAMETER_VALUE"), (-1, "INTERNAL_ERROR")],
)
def test_a_code_may_be_given_by_name_or_number(given, name):
    assert OtflowError("m", given).error_code == name


def test_a_code_that_is_given_goes_before_the_one_of_the_class():
    assert NotFoundError("m", "INVALID_STATE").error_code == "INVALID_STATE"


def test_the_message_may_be_any_object():
    assert OtflowError(ValueError("bad")).message == "bad"


def test_invalid_parameter_value_makes_the_right_class():
    error = OtflowError.invalid_parameter_value("m")
    assert type(error) is InvalidParameterError


@pytest.mark.parametrize(
    "cls", [InvalidParameterError, NotFoundError, AlreadyExistsError, InvalidStateError, StoreUnavailableError]
)
def test_an_answer_of_a_server_comes_back_as_the_same_class(cls):
    sent = json.loads(cls("why").serialize_as_json())
    back = error_from_code(sent["error_code"], sent["message"])
    assert type(back) is cls
    assert back.message == "why"


def test_an_unknown_code_of_a_server_is_kept():
    back = error_from_code("SOMETHING_NEW", "why")
    assert type(back) is OtflowError
    assert back.error_code == "SOMETHING_NEW"
    assert back.get_http_status_code() == 500


def test_a_missing_extra_says_what_to_type():
    error = MissingExtraError("psycopg", "postgres", "A PostgreSQL store")
    assert str(error) == "A PostgreSQL store needs psycopg; install it with: pip install 'otflow[postgres]'"


@pytest.mark.parametrize(
    ("text", "start", "end", "drawn"),
    [
        ("name = ?", 7, 8, "  name = ?\n         ^"),
        ("a\nnmae = 1\nb", 2, 6, "  nmae = 1\n  ^^^^"),
        ("name =", 6, None, "  name =\n        ^"),
        ("", 0, None, "  \n  ^"),
    ],
)
def test_a_filter_error_points_at_the_offending_token(text, start, end, drawn):
    error = FilterError("not understood", text, start, end)
    assert str(error) == f"not understood\n{drawn}"
    assert (error.text, error.start) == (text, start)
