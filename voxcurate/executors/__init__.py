"""Executors: run a pure worker over tasks, isolated, timed and retried, one failure never stopping
the rest."""

from voxcurate.executors.local import ExecutorConfig, LocalExecutor, SerialExecutor, cores
from voxcurate.executors.worker import resolve

__all__ = ["ExecutorConfig", "LocalExecutor", "SerialExecutor", "cores", "resolve"]
