"""The command `otflow`: looks at traces, carries them about, and keeps a database in order.

A command only reads its arguments and prints; what it does is in the rooms above. Nothing of otflow is imported before
the command line is understood, so that `--help` costs next to nothing.
"""

from otflow.cli.running import main

__all__ = ["main"]
