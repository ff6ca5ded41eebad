"""Local learning in plain PyTorch, without registry or runner.

``state`` is what crosses a module boundary, ``module`` what learns from one loss, ``step`` one training iteration.
"""
