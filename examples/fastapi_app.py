"""An existing FastAPI application with OpenTelemetry, and otflow joined in.

The application has a tracer provider, a FastAPI instrumentation and an exporter of its own, and keeps them as they are.
otflow adds spans for the agent, and stores them: not the web framework's spans, which stay the application's business.

    pip install fastapi httpx opentelemetry-instrumentation-fastapi
"""

from __future__ import annotations

import tempfile

from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otflow

# -- the application, as it was before --------------------------------------------------------------

backend = InMemorySpanExporter()  # stands for the exporter to the application's own backend
provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(SimpleSpanProcessor(backend))
trace.set_tracer_provider(provider)

app = FastAPI()
FastAPIInstrumentor.instrument_app(app)
database = trace.get_tracer("shop.database")

STOCK = {"otter plush": 3, "heron mug": 0}


# -- what is new: the agent is traced -----------------------------------------------------------------


@otflow.trace(span_type="TOOL")
def stock_of(article: str) -> int:
    with database.start_as_current_span("SELECT stock"):  # the application's own span, inside of the agent
        return STOCK.get(article, 0)


@otflow.trace(span_type="AGENT")
async def answer(question: str) -> str:
    article = next((name for name in STOCK if name in question.lower()), "")
    number = stock_of(article)
    return f"We have {number} of {article}." if number else "Sorry, we have none."


@app.get("/ask")
async def ask(question: str, user: str) -> dict[str, str]:
    with otflow.start_span("request", span_type="CHAIN") as span:
        otflow.update_current_trace(metadata={"mlflow.trace.user": user})
        span.set_inputs({"question": question})
        text = await answer(question)
        span.set_outputs(text)
        return {"answer": text, "trace_id": span.trace_id}


@app.get("/health")
async def health() -> str:
    return "ok"


# -- what each side sees --------------------------------------------------------------------------------


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        otflow.set_tracking_uri(f"sqlite:///{directory}/shop.db")
        client = TestClient(app)
        reply = client.get("/ask", params={"question": "Is there an otter plush?", "user": "ada"}).json()
        client.get("/health")
        print(reply["answer"])

        stored = otflow.get_trace(reply["trace_id"])
        assert stored is not None
        otflow.tracing.print_trace(stored)
        assert [span.name for span in stored.data.spans] == ["request", "answer", "stock_of", "SELECT stock"]
        assert len(otflow.search_traces(return_type="list")) == 1, "the health check is none of otflow's business"

        exported = {span.name: span for span in backend.get_finished_spans()}
        print("\nThe application's backend has:", ", ".join(sorted(exported)))
        server = exported["GET /ask"]
        request = exported["request"]
        assert request.parent is not None
        assert request.parent.span_id == server.context.span_id, "otflow's spans are below the server's"
        assert f"tr-{server.context.trace_id:032x}" == reply["trace_id"], "one trace id on both sides"
        otflow.testing.reset()


if __name__ == "__main__":
    main()
