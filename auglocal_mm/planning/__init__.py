"""Trades memory for compute: where to split a network, how deep to make its heads, and what to recompute."""
