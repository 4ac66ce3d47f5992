"""How other instrumentation says what otflow's spans say: one module of tables per convention, and what uses them.

`read` takes a span in, `write` and `to_openinference` prepare one for others. The original attributes always stay.
"""

from __future__ import annotations

from otflow.wire.conventions.reading import additions, read
from otflow.wire.conventions.writing import to_openinference, write

__all__ = ["additions", "read", "to_openinference", "write"]
