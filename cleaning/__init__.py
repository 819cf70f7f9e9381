"""De-identify, check, find duplicates, standardise."""
