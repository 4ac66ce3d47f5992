"""`python -m otflow` is the command `otflow`."""

import sys

from otflow.cli import main

if __name__ == "__main__":
    sys.exit(main())
