"""Files that are whole or not there, locks, and records in JSON."""
