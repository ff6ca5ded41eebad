"""Plans for several devices: layer-parallel local learning and its rivals."""
