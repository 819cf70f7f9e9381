"""Lesions in soft predictions: candidates, their hits, and curves over the threshold."""
