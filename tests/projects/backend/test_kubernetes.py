"""Submitting a Job: the official client against an HTTP server that speaks what it needs of the API."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import otflow
from otflow.errors import ExecutionError, MissingExtraError, NotFoundError
from otflow.projects.backend.kubernetes import Cluster, KubernetesSubmittedRun

JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "train-1", "namespace": "training"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}},
}
TEMPLATE = json.dumps({**JOB, "metadata": {"namespace": "training"}})


class Api:
    """The Jobs of a cluster in memory, behind a real server.

    Attributes:
        jobs: By namespace and name.
        requests: Methods and paths, in their order.
        statuses: What the status of a Job is when it is asked for, one after the other; the last one stays.
        refuse: The HTTP status to answer with instead.
    """

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[str] = []
        self.statuses: list[dict[str, Any]] = [{}]
        self.refuse: list[int] = []

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        self.requests.append(f"{method} {path}")
        parts = urlsplit(path)
        words = parts.path.strip("/").split("/")
        if self.refuse:
            return self.refuse.pop(0), {"kind": "Status", "status": "Failure", "message": "refused"}
        assert words[:4] == ["apis", "batch", "v1", "namespaces"]
        namespace, name = words[4], words[6] if len(words) > 6 else ""
        if method == "POST":
            assert parse_qs(parts.query)["fieldValidation"] == ["Strict"]
            self.jobs[namespace, body["metadata"]["name"]] = body
            return 201, body
        found = self.jobs.get((namespace, name))
        if found is None:
            return 404, {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": f"{name} not found"}
        if method == "DELETE":
            assert parse_qs(parts.query)["propagationPolicy"] == ["Foreground"]
            del self.jobs[namespace, name]
            return 200, {"kind": "Status", "status": "Success"}
        assert words[7:] == ["status"]
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return 200, {**found, "status": status}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            code, found = api.answer(self.command, self.path, body)
            content = json.dumps(found).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = reply  # noqa: N815
        do_POST = reply  # noqa: N815
        do_DELETE = reply  # noqa: N815

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "hush"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    import kubernetes.config.kube_config as kube_config

    # The client reads the variable when it is imported.
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    yield api
    server.shutdown()
    server.server_close()


def submitted(tracking: str) -> KubernetesSubmittedRun:
    run = otflow.Client(tracking).create_run("0")
    found = Cluster("here")
    found.create(JOB)
    return KubernetesSubmittedRun(found, "training", "train-1", run.info.run_id, tracking)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("otflow.projects.backend.kubernetes._POLL_S", (0.001, 0.01))


def status_of(run: KubernetesSubmittedRun) -> str:
    return otflow.get_run(run.run_id).info.status


ACTIVE = {"active": 1}
COMPLETE = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
FAILED = {"failed": 1, "conditions": [{"type": "Failed", "status": "True"}]}


@pytest.mark.parametrize(("end", "status"), [(COMPLETE, "FINISHED"), (FAILED, "FAILED")])
def test_the_run_follows_the_job(cluster, tracking, end, status):
    run = submitted(tracking)
    assert cluster.jobs["training", "train-1"] == JOB
    cluster.statuses = [{}, ACTIVE, ACTIVE, end]
    assert (run.get_status(), run.get_status(), status_of(run)) == ("SCHEDULED", "RUNNING", "RUNNING")
    assert run.wait() is (status == "FINISHED")
    assert (run.get_status(), status_of(run)) == (status, status)
    asked = len(cluster.requests)
    assert (run.get_status(), run.wait()) == (status, status == "FINISHED")
    run.cancel()
    assert status_of(run) == status
    assert len(cluster.requests) == asked + 1, "what has ended is not asked for again"


def test_a_run_is_cancelled(cluster, tracking):
    run = submitted(tracking)
    cluster.statuses = [ACTIVE]
    run.cancel()
    assert cluster.jobs == {}
    assert (run.get_status(), run.wait(), status_of(run)) == ("KILLED", False, "KILLED")
    run.cancel()


def test_a_job_that_somebody_deletes_was_killed(cluster, tracking):
    run = submitted(tracking)
    cluster.jobs.clear()
    assert (run.wait(), status_of(run)) == (False, "KILLED")


def test_a_cluster_that_does_not_answer_for_a_while(cluster, tracking):
    run = submitted(tracking)
    cluster.statuses = [COMPLETE]
    cluster.refuse = [500, 503, 500]
    assert run.wait()
    run = submitted(tracking)
    cluster.refuse = [500] * 100
    with pytest.raises(ExecutionError, match=r"cannot be read: 500 .*refused"):
        run.wait()


def test_errors_are_in_our_words(cluster, tracking, tmp_path):
    found = Cluster("here")
    with pytest.raises(NotFoundError, match="'nope'"):
        found.status("training", "nope")
    cluster.refuse = [422]
    with pytest.raises(ExecutionError, match="cannot be submitted: 422"):
        found.create(JOB)
    with pytest.raises(ExecutionError, match="context 'elsewhere'"):
        Cluster("elsewhere")


def test_without_a_cluster_it_says_so(monkeypatch, tmp_path):
    import kubernetes.config.kube_config as kube_config

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "nothing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ExecutionError, match="not known here"):
        Cluster()


def test_without_the_client_it_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "kubernetes", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'otflow\[kubernetes\]'"):
        Cluster()


FILE = """\
name: My Project
docker_env: {image: base:1}
entry_points:
  main:
    parameters: {x: string, p: {type: path, default: show.py}}
    command: "python show.py {x}"
"""

DOCKER = """\
#!/bin/sh
# Stands in for docker, whose engine is not there.
echo "$@" >> "$0.calls"
case "$*" in
  *RepoDigests*) echo '["reg.example.com/team/train@sha256:123"]' ;;
  *.Id*) echo sha256:abc ;;
esac
"""


@pytest.fixture
def configured(tmp_path, monkeypatch) -> dict[str, str]:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "docker").write_text(DOCKER)
    os.chmod(tmp_path / "programs" / "docker", 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "job.yaml").write_text(TEMPLATE)
    return {
        "kube-context": "here",
        "kube-job-template-path": str(tmp_path / "job.yaml"),
        "repository-uri": "reg.example.com/team/train",
    }


def test_a_project_runs_on_a_cluster(cluster, tracking, project, configured, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBE_MLFLOW_TRACKING_URI", "http://tracking.svc")
    cluster.statuses = [{}, ACTIVE, COMPLETE]
    directory = project(files={"MLproject": FILE})
    run = otflow.run(
        str(directory),
        parameters={"x": "$(POD) 'a'"},
        backend="kubernetes",
        backend_config=configured,
        run_name="there",
    )
    found = otflow.get_run(run.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "there")
    tags = found.data.tags
    assert tags["mlflow.project.backend"] == "kubernetes"
    assert tags["mlflow.project.env"] == "docker"
    assert tags["mlflow.docker.image.uri"] == "reg.example.com/team/train@sha256:123"
    assert tags["mlflow.docker.image.id"] == "sha256:abc"
    [job] = cluster.jobs.values()
    assert job["metadata"] == {"name": f"my-project-{run.run_id[:12]}", "namespace": "training"}
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "reg.example.com/team/train@sha256:123"
    assert container["command"][-1] == "$$(POD) 'a'"
    assert {entry["name"]: entry["value"] for entry in container["env"]} == {
        f"{prefix}_{name}": value
        for name, value in (("RUN_ID", run.run_id), ("TRACKING_URI", "http://tracking.svc"), ("EXPERIMENT_ID", "0"))
        for prefix in ("OTFLOW", "MLFLOW")
    }
    calls = (tmp_path / "programs" / "docker.calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["info", "build", "image", "push", "image"]


def test_what_is_refused_is_a_failed_run(cluster, tracking, project, configured):
    cluster.refuse = [403]
    directory = project(files={"MLproject": FILE})
    with pytest.raises(ExecutionError, match="403"):
        otflow.run(str(directory), parameters={"x": "1"}, backend="kubernetes", backend_config=configured)
    assert otflow.search_runs(output_format="list")[0].info.status == "FAILED"


def test_what_is_wrong_is_found_before_anything_is_written(cluster, tracking, project, configured):
    directory = project(files={"MLproject": FILE})
    plain = project("plain")
    for uri, more, match in (
        (plain, {"entry_point": "plain"}, "docker_env"),
        (directory, {}, "missing parameters: 'x'"),
        (directory, {"parameters": {"x": "1", "p": "s3://a/b"}}, "declare the parameters as uri"),
        (directory, {"backend_config": {}}, "needs 'kube-job-template-path'"),
        (directory, {"parameters": {"x": "1"}, "backend_config": {**configured, "kube-context": "no"}}, "'no'"),
    ):
        with pytest.raises(ExecutionError, match=match):
            otflow.run(str(uri), **{"backend": "kubernetes", "backend_config": configured, **more})
    assert cluster.requests == []
    assert otflow.search_runs(output_format="list") == []
