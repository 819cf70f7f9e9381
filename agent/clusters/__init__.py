"""Rounds as jobs of a cluster: what would be submitted, submitting, looking, checking nodes."""
