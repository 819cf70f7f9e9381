"""Synthetic tumours: grown in organs that are known to be healthy, for training only."""
