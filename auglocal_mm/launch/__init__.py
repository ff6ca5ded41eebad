"""From a command line to a running training process, and what can interrupt it."""
