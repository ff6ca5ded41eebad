"""A report of pretrainings to look at: what was trained, what came of it, and the curves of every local module."""
