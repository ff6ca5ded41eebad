"""Time and memory of training iterations: the ways to train one network, measured in turn and compared."""
