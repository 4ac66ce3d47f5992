"""Logging in without credentials, and without anybody to ask."""

from __future__ import annotations

import os

from toolbox import Facts, Toolbox, accident, case

NEEDS = ("login",)


@case(needs=NEEDS, differs=accident("another backend", "no backend"))
def nothing(t: Toolbox) -> Facts:
    before = t.mlflow.get_tracking_uri()
    os.environ["DATABRICKS_CONFIG_FILE"] = os.path.join(t.directory, "none.cfg")
    try:
        yield "databricks", t.outcome(lambda: t.mlflow.login(interactive=False))
    finally:
        del os.environ["DATABRICKS_CONFIG_FILE"]
    yield "another backend", t.outcome(lambda: t.mlflow.login("aws", interactive=False))
    yield "no backend", t.outcome(lambda: t.mlflow.login(None, interactive=False))
    yield "the tracking URI stays", t.mlflow.get_tracking_uri() == before
