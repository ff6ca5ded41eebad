_base_ = '../bp/resnet101_bp_8xb64-200e_in1k.py'
model = dict(auxiliary_heads=dict(type='AugLocalHead', depth=4))
custom_hooks = [dict(type='AugLocalHook')]
