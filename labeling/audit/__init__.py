"""Which labels are probably wrong: one table, of a dataset in plain files or of a workspace."""
