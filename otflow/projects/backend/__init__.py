"""Where projects run: what a backend is, the ones that otflow has, and the loading of those of other packages."""

from __future__ import annotations

from otflow.projects.backend.abstract_backend import AbstractBackend

__all__ = ["AbstractBackend"]
