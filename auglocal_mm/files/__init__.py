"""Atomic writes, locks, and records in JSON."""
