"""What must not be kept: rules that rewrite content before it leaves the call, and no content at all.

Rules are declared once, by key, path, type or pattern; they hold for inputs, outputs, attributes, events and errors, in
otflow's store and for every exporter of the provider. The values in the program stay as they are.
"""

from __future__ import annotations

import pathlib
import tempfile

import otflow
from otflow.tracing.privacy import CREDENTIALS, Rule, mask

CARD, PASSWORD, MAIL = "4111 1111 1111 1111", "hunter2", "ada@example.org"


@otflow.trace(span_type="TOOL")
def charge(card: str, account: dict[str, str]) -> str:
    assert card == CARD, "the program has the value as it is"
    if not account["mail"].endswith(".com"):
        raise ValueError(f"no receipts to {account['mail']}")
    return "paid"


@otflow.trace(span_type="AGENT")
def pay(order: str) -> str:
    try:
        return charge(CARD, {"mail": MAIL, "password": PASSWORD})
    except ValueError:
        return f"{order} is not paid"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        otflow.set_tracking_uri(f"sqlite:///{directory}/shop.db")
        otflow.tracing.set_privacy_rules([*CREDENTIALS, Rule(pattern="card", action=mask(4)), Rule(pattern="email")])
        print(pay("otter plush"), "\n")
        trace = otflow.get_trace(otflow.get_last_active_trace_id() or "")
        assert trace is not None
        otflow.tracing.print_trace(trace)
        tool = trace.data.spans[1]
        assert tool.inputs == {"card": "***1111", "account": {"mail": "[redacted]", "password": "[redacted]"}}
        assert tool.status.description == "ValueError: no receipts to [redacted]"

        with otflow.tracing.set_privacy_rules(capture_content=False):
            pay("heron mug")
        bare = otflow.get_trace(otflow.get_last_active_trace_id() or "")
        assert bare is not None
        assert [span.name for span in bare.data.spans] == ["pay", "charge"]
        assert all(span.inputs is None and span.outputs is None for span in bare.data.spans)

        otflow.testing.reset()
        kept = b"".join(path.read_bytes() for path in pathlib.Path(directory).iterdir() if path.is_file())
        for secret in (CARD, PASSWORD, MAIL):
            assert secret.encode() not in kept
        print("\nNone of the secrets is in the database.")


if __name__ == "__main__":
    main()
