"""The HTTP API and pages."""
