"""Reports become findings, and findings a searchable cohort."""
