"""The registry over SQL: models and their versions, prompts among them, and webhooks."""
