"""Ingest: scans, labels and reports are linked, scrubbed, standardised, split, and catalogued."""

from agent.ingest.config import IngestConfig
from agent.ingest.run import ingest

__all__ = ["IngestConfig", "ingest"]
