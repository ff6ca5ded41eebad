"""What is read from finished runs: comparisons and their reports."""
