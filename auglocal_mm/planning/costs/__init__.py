"""The costs of layers in memory and compute."""
