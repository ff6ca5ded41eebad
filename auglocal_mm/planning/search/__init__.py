"""Searches the cheapest plans within a budget."""
