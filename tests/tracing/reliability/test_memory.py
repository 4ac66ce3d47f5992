"""What waits to be written is bounded in bytes too."""

from __future__ import annotations

from .programs import rows, run


def test_many_large_spans_wait_in_bounded_memory(tmp_path):
    found = run(
        """
        import resource
        text = "x" * 10_000_000
        for number in range(120):
            with otflow.start_span("large") as span:
                span.set_inputs({"number": number, "text": text})
        otflow.flush_trace_async_logging()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, otflow.tracing.delivery().lost)
        """,
        tmp_path,
    )
    peak, lost = found.stdout.split()
    assert lost == "0"
    assert int(peak) < 1_000, "120 spans of 10 MB each are in memory at once"
    assert rows(tmp_path / "t.db", "SELECT COUNT(*) FROM spans") == [(120,)]
