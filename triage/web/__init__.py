"""HTTP: the API, the live page, health and metrics."""
