"""How things look in transit: entities as the JSON of MLflow's REST API, spans as OTLP, and the table of endpoints."""
