"""How well are wrong labels found and mended? ``python -m benchmarks.label_errors``."""
