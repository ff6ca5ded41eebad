"""The cheapest plans within a budget."""
