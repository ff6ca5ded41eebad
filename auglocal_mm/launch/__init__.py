"""From a command line to a process that trains, and what may happen to it."""
