"""From scans and labels to the samples of a step."""
