"""Compares detectors trained from different backbones: their AP, and the settings in which their runs differ."""
