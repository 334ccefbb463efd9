"""What other rules would keep, answered from stored signals without Spark."""
