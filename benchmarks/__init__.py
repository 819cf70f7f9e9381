"""Comparisons with peers, each a command: ``python -m benchmarks.NAME``."""
