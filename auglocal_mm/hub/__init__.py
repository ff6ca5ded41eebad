"""Folders in which backbones are published: weights, their config, and a model card."""
