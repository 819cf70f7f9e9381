"""Real servers for tests: one with a tiny random model, and one that misbehaves."""
