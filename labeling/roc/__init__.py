"""ROC analysis for tumours: how low to set the threshold, what that costs, and what people see."""
