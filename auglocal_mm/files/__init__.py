"""Atomic writes, locks, records in JSON, and the files that come with the package."""
