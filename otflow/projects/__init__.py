"""Running projects: directories and git repositories that say in an MLproject file what they do."""

from __future__ import annotations

from otflow.projects.running import run
from otflow.projects.submitted_run import SubmittedRun

__all__ = ["SubmittedRun", "run"]
