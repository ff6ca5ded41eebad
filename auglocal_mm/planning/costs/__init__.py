"""What layers cost in memory and compute."""
