"""What the machine does, as metrics of a run."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

import otflow
from otflow.errors import InvalidParameterError
from otflow.system_metrics import sources

CPU = "system/cpu_utilization_percentage"
NAMES = {
    "system/cpu_utilization_percentage",
    "system/disk_available_megabytes",
    "system/disk_usage_megabytes",
    "system/disk_usage_percentage",
    "system/network_receive_megabytes",
    "system/network_transmit_megabytes",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
}


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def points(run_id, name=CPU):
    return otflow.Client().get_metric_history(run_id, name)


def threads():
    return [thread.name for thread in threading.enumerate() if "system-metrics" in thread.name]


@pytest.fixture
def often():
    otflow.set_system_metrics_sampling_interval(0.02)


def test_a_run_with_system_metrics(often):
    otflow.enable_system_metrics_logging()
    with otflow.start_run() as run:
        assert len(threads()) == 1
        until(lambda: len(points(run.info.run_id)) >= 3)
    assert threads() == []
    found = otflow.get_run(run.info.run_id).data.metrics
    assert set(found) == NAMES
    assert 0 <= found["system/system_memory_usage_percentage"] <= 100
    assert found["system/disk_usage_megabytes"] > 0
    steps = [point.step for point in points(run.info.run_id)]
    assert steps == list(range(len(steps)))


def test_the_argument_goes_before_the_setting(often):
    otflow.enable_system_metrics_logging()
    with otflow.start_run(log_system_metrics=False):
        assert threads() == []
    otflow.disable_system_metrics_logging()
    with otflow.start_run():
        assert threads() == []
    with otflow.start_run(log_system_metrics=True) as run:
        until(lambda: points(run.info.run_id))
    with otflow.start_run():
        assert threads() == []


def test_the_mean_of_several_looks(often):
    otflow.set_system_metrics_samples_before_logging(3)
    with otflow.start_run(log_system_metrics=True) as run:
        until(lambda: points(run.info.run_id))
    assert points(run.info.run_id)[0].step == 0


def test_what_was_seen_when_the_run_ends_is_a_point():
    otflow.set_system_metrics_sampling_interval(0.01)
    otflow.set_system_metrics_samples_before_logging(1_000_000)
    looks = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("otflow.system_metrics.monitor.sources", lambda: [lambda: looks.append(1) or {"n": len(looks)}])
        with otflow.start_run(log_system_metrics=True) as run:
            until(lambda: len(looks) >= 3)
    (point,) = points(run.info.run_id, "system/n")
    assert point.value == round((1 + len(looks)) / 2, 1)


def test_a_run_that_goes_on_counts_on(often):
    with otflow.start_run(log_system_metrics=True) as run:
        until(lambda: points(run.info.run_id))
    before = len(points(run.info.run_id))
    with otflow.start_run(run_id=run.info.run_id, log_system_metrics=True):
        until(lambda: len(points(run.info.run_id)) > before)
    steps = [point.step for point in points(run.info.run_id)]
    assert steps == list(range(len(steps)))


def test_each_of_nested_runs(often):
    with otflow.start_run(log_system_metrics=True) as outer:
        with otflow.start_run(nested=True, log_system_metrics=True) as inner:
            assert len(threads()) == 2
            until(lambda: points(outer.info.run_id) and points(inner.info.run_id))
        assert len(threads()) == 1
    assert threads() == []


def test_nodes(often):
    otflow.set_system_metrics_node_id("worker-1")
    with otflow.start_run(log_system_metrics=True) as run:
        until(lambda: points(run.info.run_id, "system/worker-1/cpu_utilization_percentage"))
    otflow.set_system_metrics_node_id(None)


def test_the_end_is_quick():
    with otflow.start_run(log_system_metrics=True):
        assert len(threads()) == 1
        begin = time.monotonic()
    # The interval is ten seconds here: it is not waited for.
    assert time.monotonic() - begin < 5
    assert threads() == []


def test_a_process_ends_while_a_run_is_active(tmp_path):
    code = "import otflow; otflow.start_run(log_system_metrics=True)"
    begin = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begin < 30
    assert "Traceback" not in done.stderr


def test_a_machine_that_cannot_say(often, monkeypatch, caplog):
    def broken():
        raise OSError("no such counter")

    monkeypatch.setattr("otflow.system_metrics.monitor.sources", lambda: [broken, lambda: {"good": 1.0}])
    with otflow.start_run(log_system_metrics=True) as run:
        until(lambda: len(points(run.info.run_id, "system/good")) >= 2)
    assert sum("no such counter" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("interval", [0, -1, "x", float("nan"), True])
def test_intervals_that_are_none(interval):
    with pytest.raises(InvalidParameterError, match="interval"):
        otflow.set_system_metrics_sampling_interval(interval)


@pytest.mark.parametrize("samples", [0, -1, "x", 1.5, True])
def test_counts_that_are_none(samples):
    with pytest.raises(InvalidParameterError, match="samples"):
        otflow.set_system_metrics_samples_before_logging(samples)


def test_back_to_the_defaults():
    otflow.set_system_metrics_sampling_interval(3)
    otflow.set_system_metrics_sampling_interval(None)
    otflow.set_system_metrics_samples_before_logging(3)
    otflow.set_system_metrics_samples_before_logging(None)
    from otflow import config

    assert config.SYSTEM_METRICS_SAMPLING_INTERVAL.get() == 10
    assert config.SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING.get() == 1


def test_without_psutil(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(otflow.OtflowError, match=r"psutil.*otflow\[system-metrics\]"):
        otflow.start_run(log_system_metrics=True)
    assert otflow.active_run() is None
    assert otflow.search_runs(output_format="list") == []


class TestGpus:
    """No GPU is here: a stand-in for NVIDIA's library says what one would."""

    class Nvml:
        class NVMLError(Exception):
            pass

        powered = True

        def nvmlDeviceGetMemoryInfo(self, handle):  # noqa: N802
            return SimpleNamespace(used=2_000_000_000, total=8_000_000_000)

        def nvmlDeviceGetUtilizationRates(self, handle):  # noqa: N802
            return SimpleNamespace(gpu=37)

        def nvmlDeviceGetPowerUsage(self, handle):  # noqa: N802
            if not self.powered:
                raise self.NVMLError("not supported")
            return 75_000

        def nvmlDeviceGetEnforcedPowerLimit(self, handle):  # noqa: N802
            return 300_000

    def test_one(self):
        assert sources._gpu(self.Nvml(), 1, object())() == {
            "gpu_1_memory_usage_percentage": 25.0,
            "gpu_1_memory_usage_megabytes": 2000.0,
            "gpu_1_utilization_percentage": 37,
            "gpu_1_power_usage_watts": 75.0,
            "gpu_1_power_usage_percentage": 25.0,
        }

    def test_one_that_does_not_say_all(self):
        nvml = self.Nvml()
        nvml.powered = False
        assert set(sources._gpu(nvml, 0, object())()) == {
            "gpu_0_memory_usage_percentage",
            "gpu_0_memory_usage_megabytes",
            "gpu_0_utilization_percentage",
        }
