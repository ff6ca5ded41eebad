"""Files of weights: read safely, loaded where they fit, exported."""
