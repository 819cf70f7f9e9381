"""Many models' predictions become one pseudo label that keeps to the written anatomy."""
