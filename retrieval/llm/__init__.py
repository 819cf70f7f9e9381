"""Reading reports with a language model, step by step; answers are checked against the report."""
