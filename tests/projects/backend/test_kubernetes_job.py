"""The Job that is rendered, against the API's own schema: the models of the official client."""

from __future__ import annotations

import copy
import json
import re
from types import SimpleNamespace
from typing import Any

import kubernetes.client as api
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from otflow.errors import ExecutionError, OtflowError
from otflow.projects.backend.kubernetes_job import KubernetesConfig, read_template, render_job, status_of

TEMPLATE = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: "{replaced}"
  namespace: training
  labels: {team: nlp}
spec:
  ttlSecondsAfterFinished: 100
  backoffLimit: 0
  template:
    spec:
      volumes:
        - name: scratch
          emptyDir: {}
      containers:
        - name: "{replaced}"
          image: "{replaced}"
          command: ["{replaced}"]
          args: [left over]
          env:
            - {name: KEPT, value: "1"}
            - {name: MLFLOW_RUN_ID, value: replaced}
            - {name: SECRET, valueFrom: {secretKeyRef: {name: s, key: k}}}
          resources: {limits: {cpu: "2", memory: 1Gi}}
          volumeMounts: [{name: scratch, mountPath: /scratch}]
        - name: sidecar
          image: sidecar:1
"""


def template() -> dict[str, Any]:
    return yaml.safe_load(TEMPLATE)


def rendered(**more: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "project": "My Project!",
        "image": "reg/a@sha256:1",
        "command": ["bash", "-c", "python train.py"],
        "variables": {"MLFLOW_RUN_ID": "0123", "MLFLOW_TRACKING_URI": "http://server"},
        "suffix": "0123456789ab",
    }
    return render_job(**{"template": template(), **arguments, **more})


def strictly(value: Any, kind: str, path: str = "$") -> None:
    """Fail for what a type of the API does not know, and for what it wants to be of another type."""
    kind = re.sub(r"^(List|Dict)(?=[\[(])", lambda found: found[0].lower(), kind).replace("dict[", "dict(")
    if kind.startswith("list["):
        assert isinstance(value, list), path
        for number, item in enumerate(value):
            strictly(item, kind[5:-1], f"{path}[{number}]")
    elif kind.startswith("dict("):
        assert isinstance(value, dict), path
        for key, item in value.items():
            assert isinstance(key, str), path
            strictly(item, kind[5:-1].split(", ", 1)[1], f"{path}.{key}")
    elif kind in ("str", "int", "bool"):
        assert type(value).__name__ == kind, f"{path}: {value!r}"
    elif kind not in ("object", "datetime", "float"):
        model = getattr(api, kind)
        names = {wire: name for name, wire in model.attribute_map.items()}
        assert isinstance(value, dict), path
        assert set(value) <= set(names), f"{path}: {set(value) - set(names)}"
        for key, item in value.items():
            strictly(item, model.openapi_types[names[key]], f"{path}.{key}")


def round_trip(job: dict[str, Any]) -> dict[str, Any]:
    """The Job through the client's models, which ask for what is required."""
    text, client = json.dumps(job), api.ApiClient()
    if hasattr(api.V1Job, "from_json"):  # from release 36 on
        return client.sanitize_for_serialization(api.V1Job.from_json(text))
    return client.sanitize_for_serialization(client.deserialize(SimpleNamespace(data=text), "V1Job"))


def test_the_strictness_of_this_test():
    job = rendered()
    job["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    with pytest.raises(AssertionError, match="imagee"):
        strictly(job, "V1Job")


def test_a_job_is_one_that_the_api_knows():
    job = rendered()
    strictly(job, "V1Job")
    assert round_trip(job) == job
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")


def test_what_is_replaced_and_what_is_kept():
    before = template()
    job = render_job(
        before, project="My Project!", image="i", command=["run"], variables={"MLFLOW_RUN_ID": "r"}, suffix="s"
    )
    assert before == template(), "the template is not changed"
    container, sidecar = job["spec"]["template"]["spec"]["containers"]
    assert job["metadata"] == {"name": "my-project-s", "namespace": "training", "labels": {"team": "nlp"}}
    assert (container["name"], container["image"], container["command"]) == ("my-project", "i", ["run"])
    assert "args" not in container
    assert container["env"] == [
        {"name": "KEPT", "value": "1"},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "MLFLOW_RUN_ID", "value": "r"},
    ]
    assert sidecar == {"name": "sidecar", "image": "sidecar:1"}
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    expected = copy.deepcopy(before)
    for kept in ("ttlSecondsAfterFinished", "backoffLimit"):
        assert job["spec"][kept] == expected["spec"][kept]


def test_the_least_template():
    least = {"spec": {"template": {"spec": {"containers": [{}]}}}}
    job = rendered(template=least)
    strictly(job, "V1Job")
    assert round_trip(job) == job
    assert job["metadata"]["namespace"] == "default"


def expanded(text: str, variables: dict[str, str]) -> str:
    """What Kubernetes makes of a word of a command.

    Source: Kubernetes, `third_party/forked/golang/expansion`: `$$` is `$`, `$(NAME)` a variable that is known.
    """
    return re.sub(
        r"\$(?:\$|\((\w*)\))",
        lambda found: "$" if found[0] == "$$" else variables.get(found[1], found[0]),
        text,
    )


@given(st.lists(st.text("$(){}AB'\\ \n", max_size=12), max_size=4))
def test_words_arrive_as_they_are(words):
    job = rendered(command=words, variables={"A": "$(B)", "V": "".join(words)})
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert [expanded(word, {"A": "x", "B": "y"}) for word in container["command"]] == words
    values = {entry["name"]: expanded(entry.get("value", ""), {"B": "y"}) for entry in container["env"]}
    assert (values["A"], values["V"]) == ("$(B)", "".join(words))


@settings(max_examples=60)
@given(st.text(max_size=90), st.text("0123456789abcdef", min_size=12, max_size=12))
def test_names_are_labels(project, suffix):
    job = rendered(project=project, suffix=suffix)
    label = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?").fullmatch
    assert label(job["metadata"]["name"])
    assert label(job["spec"]["template"]["spec"]["containers"][0]["name"])
    assert job["metadata"]["name"].endswith(f"-{suffix}")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[a]", "keys and values"),
        ("kind: Pod\napiVersion: v1", "Job of batch/v1"),
        ("kind: Job\napiVersion: batch/v1beta1", "Job of batch/v1"),
        ("kind: Job", "no container"),
        ("spec: {template: {spec: {containers: []}}}", "no container"),
        ("spec: {template: 5}", "no container"),
        ("spec: {template: {spec: {containers: [a]}}}", "no container"),
        ("spec: {template: {spec: {containers: [{env: 5}]}}}", "env"),
        ("spec: {template: {spec: {containers: [{env: [a]}]}}}", "env"),
    ],
)
def test_a_template_is_a_job(tmp_path, text, match):
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(OtflowError, match=match):
        read_template(str(tmp_path / "job.yaml"))


def test_a_template_that_is_not_there():
    with pytest.raises(ExecutionError, match="cannot be read"):
        read_template("nowhere.yaml")


def test_the_configuration():
    found = {"kube-job-template-path": "job.yaml", "repository-uri": "reg.example.com:5000/a/b", "kube-context": "c"}
    assert KubernetesConfig.parse(found) == KubernetesConfig("job.yaml", "reg.example.com:5000/a/b", "c")
    assert KubernetesConfig.parse({**found, "kube-context": None}).context is None
    for change, match in (
        ({"kube-job-template-path": None}, "needs 'kube-job-template-path'"),
        ({"repository-uri": ""}, "needs 'repository-uri'"),
        ({"repository-uri": "--push"}, "names no repository"),
        ({"repository-uri": "a b"}, "names no repository"),
        ({"kube-context": 5}, "'kube-context'"),
    ):
        with pytest.raises(ExecutionError, match=match):
            KubernetesConfig.parse({**found, **change})


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, "SCHEDULED"),
        ({"active": 1}, "RUNNING"),
        ({"failed": 1, "active": 1}, "RUNNING"),
        ({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}, "FINISHED"),
        ({"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}], "active": 1}, "RUNNING"),
        ({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}, "FAILED"),
        (
            {"conditions": [{"type": "Complete", "status": "False"}, {"type": "Suspended", "status": "True"}]},
            "SCHEDULED",
        ),
    ],
)
def test_what_a_status_means(status, expected):
    strictly({"status": status}, "V1Job")
    assert status_of(status) == expected
