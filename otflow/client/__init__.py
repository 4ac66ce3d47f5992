"""The explicit object API: a method checks its arguments and makes one store call."""

from __future__ import annotations

from otflow.client.experiments import ExperimentClient
from otflow.client.media import MediaClient
from otflow.client.models import ModelClient
from otflow.client.prompts import PromptClient
from otflow.client.registry import RegistryClient
from otflow.client.runs import RunClient
from otflow.client.traces import TraceClient
from otflow.client.webhooks import WebhookClient
from otflow.client.workspaces import WorkspaceClient

__all__ = ["Client", "MlflowClient"]


class Client(
    TraceClient,
    ExperimentClient,
    RunClient,
    MediaClient,
    ModelClient,
    RegistryClient,
    PromptClient,
    WebhookClient,
    WorkspaceClient,
):
    """The object API over one store, independent of what is active in the process.

    Args:
        tracking_uri: The store; the current one by default.
        registry_uri: The store of registered models and prompts; the same by default.
        workspace_store_uri: The store of workspaces; the same by default.

    Example:
        >>> import otflow
        >>> client = otflow.Client()
        >>> root = client.start_trace("request", inputs={"q": "hi"})
        >>> step = client.start_span("step", root.trace_id, root.span_id)
        >>> client.end_span(step.trace_id, step.span_id, outputs="hello")
        >>> client.end_trace(root.trace_id, outputs="hello")
    """


MlflowClient = Client
"""The name that MLflow gives this class."""
