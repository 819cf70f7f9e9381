"""The form in which scans and masks enter the workspace."""
