"""The store behind an HTTP server that speaks MLflow's REST API and takes spans as OTLP."""
