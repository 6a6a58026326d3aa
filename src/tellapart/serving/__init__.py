"""Serving experts: requests with different z in one batch, behind an OpenAI-compatible API."""
