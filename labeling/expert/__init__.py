"""The Label Expert: which labels are wrong, and which candidate is better."""
