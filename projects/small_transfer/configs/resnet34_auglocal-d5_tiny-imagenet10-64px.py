_base_ = './resnet34_bp_tiny-imagenet10-64px.py'
model = dict(auxiliary_heads=dict(type='AugLocalHead', depth=5))
custom_hooks = [dict(type='AugLocalHook')]
