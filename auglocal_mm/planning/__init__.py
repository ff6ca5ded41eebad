"""Trades memory for compute: how to cut a network, how deep to make its heads, and what to recompute."""
