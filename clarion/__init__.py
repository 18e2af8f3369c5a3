"""The application: one command, `clarion`, and the one place that wires rooms together."""
