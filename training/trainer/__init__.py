"""The training loop and the worker around it."""
