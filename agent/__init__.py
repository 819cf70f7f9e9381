"""The top floor: the round graph, the plan, ingest, the command line and the round report."""
