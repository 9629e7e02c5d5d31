"""OpenTelemetry, with the extra `casebook[otel]`: traces and metrics to where OTEL_* says."""
