"""An OpenTelemetry Collector, built once from its modules, and a reader of the traces that it has written."""
