"""Finding scans: the query, the index, and questions in plain language."""
