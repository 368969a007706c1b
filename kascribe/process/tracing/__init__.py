"""Traces on their way out of a process: its tracer, the queue of spans, and OTLP, the home of OpenTelemetry."""
