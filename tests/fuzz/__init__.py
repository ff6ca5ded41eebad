"""Mutated files, given to the tools: each must be read rightly or refused in a sentence; see ``run.py``."""
