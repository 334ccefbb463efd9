"""Select: the samples of each stage, by pools, quotas, caps and budgets."""
