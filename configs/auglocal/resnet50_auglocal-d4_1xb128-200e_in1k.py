_base_ = '../bp/resnet50_bp_1xb128-200e_in1k.py'
model = dict(auxiliary_heads=dict(type='AugLocalHead', depth=4))
custom_hooks = [dict(type='AugLocalHook')]
