"""What a process measures of itself, and how others read it (docs/decisions/0008-metrics.md)."""
