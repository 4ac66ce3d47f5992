"""Projects that run on Kubernetes: the image is built and pushed, and a Job is submitted and followed."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Generator, Mapping
from typing import Any, Final, cast

from otflow import config, context
from otflow.client import Client
from otflow.entities import Run
from otflow.errors import ExecutionError, MissingExtraError, NotFoundError, OtflowError
from otflow.projects import processes
from otflow.projects.backend.abstract_backend import ConfigKey, PlanningBackend, Start
from otflow.projects.backend.kubernetes_job import KubernetesConfig, read_template, render_job, status_of
from otflow.projects.docker import Docker, image_name
from otflow.projects.planning import Plan, plan, settings_of
from otflow.projects.project import DockerEnvironment
from otflow.projects.submitted_run import SubmittedRun
from otflow.semconv import RunKey
from otflow.store.opening import in_workspace, normalize_uri, split_workspace

__all__ = ["Cluster", "KubernetesBackend", "KubernetesSubmittedRun"]

_logger = logging.getLogger("otflow")

_POLL_S: Final = (0.05, 5.0)
"""How long `wait` waits before it looks again: the first time, and at most."""
_MOST_FAILURES: Final = 12
"""How often in a row a cluster may not answer, before it is given up."""
_ENDED: Final = ("FINISHED", "FAILED", "KILLED")


class Cluster:
    """The Jobs of a cluster, by the official client.

    Args:
        context: The context in the configuration of kubectl; the current one by default. Without such a file, the
            cluster that this process is in.

    Raises:
        MissingExtraError: the client is not installed.
        ExecutionError: there is no such context.
    """

    def __init__(self, context: str | None = None) -> None:
        try:
            import kubernetes
        except ImportError as error:
            raise MissingExtraError("kubernetes", "kubernetes", "Running projects on Kubernetes") from error
        package: Any = kubernetes
        loading: Any = package.config
        try:
            try:
                client = loading.new_client_from_config(context=context)
            except loading.ConfigException:
                if context is not None:
                    raise
                loading.load_incluster_config()
                client = package.client.ApiClient()
        except loading.ConfigException as error:
            where = "" if context is None else f" of the context {context!r}"
            raise ExecutionError(f"the cluster{where} is not known here: {error}") from error
        self._client: Any = client
        self._jobs: Any = package.client.BatchV1Api(client)

    def create(self, job: Mapping[str, Any]) -> None:
        """Submit a Job; what its API does not know is refused.

        Raises:
            ExecutionError: the cluster refuses it, or does not answer.
        """
        with _answered("the Job cannot be submitted"):
            self._jobs.create_namespaced_job(job["metadata"]["namespace"], dict(job), field_validation="Strict")

    def status(self, namespace: str, name: str) -> dict[str, Any]:
        """The status of a Job.

        Raises:
            NotFoundError: there is none of that name.
            ExecutionError: the cluster does not answer.
        """
        with _answered(f"the Job {name!r} cannot be read"):
            found: Any = self._jobs.read_namespaced_job_status(name, namespace)
            return cast("dict[str, Any]", self._client.sanitize_for_serialization(found)).get("status") or {}

    def delete(self, namespace: str, name: str) -> None:
        """Delete a Job and its pods; one that is not there is deleted.

        Raises:
            ExecutionError: the cluster does not answer.
        """
        with contextlib.suppress(NotFoundError), _answered(f"the Job {name!r} cannot be deleted"):
            self._jobs.delete_namespaced_job(name, namespace, propagation_policy="Foreground")


@contextlib.contextmanager
def _answered(what: str) -> Generator[None]:
    """Say in our words what went wrong with a request."""
    from kubernetes.client.exceptions import ApiException  # pyright: ignore[reportMissingTypeStubs]
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        status = cast("Any", error).status
        said = f"{status} {cast('Any', error).reason}: {str(cast('Any', error).body or '')[:500]}"
        if status == 404:
            raise NotFoundError(f"{what}: {said}") from error
        raise ExecutionError(f"{what}: {said}") from error
    except HTTPError as error:
        raise ExecutionError(f"{what}: the cluster does not answer: {error}") from error


class KubernetesSubmittedRun(SubmittedRun):
    """A run that a Job on a cluster does; its status follows the Job's, whenever that is looked at.

    Args:
        cluster: The cluster.
        namespace: Where the Job is.
        name: Its name.
        run_id: The run.
        tracking_uri: The store of the run.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, run_id: str, tracking_uri: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._run_id = run_id
        self._tracking_uri = tracking_uri
        self._status = "SCHEDULED"
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._run_id

    @property
    def job_name(self) -> str:
        """The name of the Job."""
        return self._name

    def get_status(self) -> str:
        """`SCHEDULED`, `RUNNING`, `FINISHED`, `FAILED`; `KILLED` where the Job was deleted."""
        if not self._ended.is_set():
            try:
                found = status_of(self._cluster.status(self._namespace, self._name))
            except NotFoundError:
                found = "KILLED"
            self._take(found)
        return self._status

    def wait(self) -> bool:
        """Wait for its end; returns whether it has succeeded."""
        failures = 0
        pause, longest = _POLL_S
        while True:
            try:
                if self.get_status() in _ENDED:
                    return self._status == "FINISHED"
                failures = 0
            except ExecutionError as error:
                failures += 1
                if failures >= _MOST_FAILURES:
                    raise
                _logger.warning("%s; trying again", error)
            self._ended.wait(pause)
            pause = min(2 * pause, longest)

    def cancel(self) -> None:
        """Delete the Job; the run is `KILLED`."""
        self._cluster.delete(self._namespace, self._name)
        self._take("KILLED")

    def _take(self, status: str) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            self._status = status
            if status not in _ENDED:
                return
            self._ended.set()
        try:
            Client(self._tracking_uri).set_terminated(self._run_id, status)
        except OtflowError as error:
            _logger.warning("The run %s could not be ended: %s", self._run_id, error)


class KubernetesBackend(PlanningBackend):
    """Runs projects as Jobs on a cluster."""

    def prepare(
        self,
        project_uri: Any,
        entry_point: Any,
        params: Any,
        version: str | None,
        backend_config: Mapping[str, Any],
        tracking_uri: str,
    ) -> Start:
        """Look at a run that is to begin."""
        configured = KubernetesConfig.parse(backend_config)
        template = read_template(configured.template)
        planned = plan(project_uri, entry_point, params, version)
        try:
            if planned.project.docker is None or not planned.project.name:
                raise ExecutionError(
                    "on Kubernetes run projects that have a name and a docker_env, which names an image"
                )
            if planned.values.remote:
                raise ExecutionError(
                    f"the files of {', '.join(planned.values.remote)} would be downloaded here, and the project runs"
                    " elsewhere: declare the parameters as uri"
                )
            cluster = Cluster(configured.context)
            docker = Docker.find(backend_config.get(ConfigKey.DOCKER_AUTH))
        except BaseException:
            planned.checkout.discard()
            raise
        resumed = backend_config.get(ConfigKey.RUN_ID)
        place = context.place(tracking_uri)

        def begin(experiment_id: str, run_name: str | None) -> SubmittedRun:
            tags = {RunKey.PROJECT_BACKEND: "kubernetes", RunKey.PROJECT_ENV: "docker"}
            try:
                run = planned.begin(place, experiment_id, run_name, resumed, tags)
                try:
                    job = _job(planned, configured, template, docker, place, run)
                    cluster.create(job)
                except BaseException:
                    Client(place).set_terminated(run.info.run_id, "FAILED")
                    raise
            finally:
                planned.checkout.discard()
            where = job["metadata"]
            _logger.info(
                "=== Job %s in namespace %s does run '%s' ===", where["name"], where["namespace"], run.info.run_id
            )
            return KubernetesSubmittedRun(cluster, where["namespace"], where["name"], run.info.run_id, tracking_uri)

        return Start(begin, planned.checkout.discard)


def _job(
    planned: Plan,
    configured: KubernetesConfig,
    template: Mapping[str, Any],
    docker: Docker,
    place: str,
    run: Run,
) -> dict[str, Any]:
    """Build and push the image; returns the Job that runs it."""
    image = image_name(planned.project.name, planned.checkout.commit, configured.repository)
    image_id = docker.build(planned.project.docker or DockerEnvironment(""), planned.checkout.directory, image)
    pushed = docker.push(image)
    client = Client(place)
    client.set_tag(run.info.run_id, RunKey.DOCKER_IMAGE_URI, pushed, synchronous=True)
    if image_id:
        client.set_tag(run.info.run_id, RunKey.DOCKER_IMAGE_ID, image_id, synchronous=True)
    here, workspace = split_workspace(normalize_uri(place))
    there = config.KUBE_TRACKING_URI.get() or here
    if there.startswith("sqlite:") or os.path.isabs(there):
        _logger.warning(
            "The store %s is in files of this machine, which the cluster may not reach; %s says what its URI is there.",
            there,
            config.KUBE_TRACKING_URI.variables[0],
        )
    if workspace is not None:
        there = in_workspace(there, workspace)
    command = planned.command(planned.values, elsewhere=True)
    return render_job(
        template,
        project=planned.project.name,
        image=pushed,
        command=command.words,
        variables=processes.setting_variables(settings_of(run, there)),
        suffix=run.info.run_id[:12],
    )
