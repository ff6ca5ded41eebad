_base_ = './resnet34_bp_digits.py'
model = dict(auxiliary_heads=dict(type='AugLocalHead', depth=2))
custom_hooks = [dict(type='AugLocalHook')]
