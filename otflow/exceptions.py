"""The errors of `otflow.errors` under the names that MLflow gives them, for code written against MLflow."""

from __future__ import annotations

from otflow.errors import OtflowError

__all__ = ["MlflowException", "RestException"]

MlflowException = OtflowError
RestException = OtflowError
