"""Detectors trained from different backbones, compared: what their runs logged, and in which settings they differ."""
