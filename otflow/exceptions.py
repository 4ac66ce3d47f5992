"""The errors of `otflow.errors` under the names that MLflow gives them, for code written against MLflow."""

from __future__ import annotations

from otflow.errors import ExecutionError, OtflowError

__all__ = ["ExecutionException", "MlflowException", "RestException"]

ExecutionException = ExecutionError
MlflowException = OtflowError
RestException = OtflowError
