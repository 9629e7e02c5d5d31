"""Benchmarks of Casebook and its peers; each module's docstring says how to run it."""
