"""`read-reports` on files, without a workspace."""
