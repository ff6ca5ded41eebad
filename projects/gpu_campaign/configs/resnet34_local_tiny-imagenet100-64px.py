# The same by local learning: heads and partition are given on the command line.
_base_ = './resnet34_bp_tiny-imagenet100-64px.py'
custom_hooks = [dict(type='AugLocalHook')]
