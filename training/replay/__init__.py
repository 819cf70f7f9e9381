"""What is kept of earlier rounds, so that they are not forgotten: memories, and the old model."""
