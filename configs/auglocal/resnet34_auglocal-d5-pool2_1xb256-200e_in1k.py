_base_ = '../bp/resnet34_bp_1xb256-200e_in1k.py'
model = dict(auxiliary_heads=dict(type='AugLocalHead', depth=5, pooling=2), checkpointed=[dict(norms='stem')])
custom_hooks = [dict(type='AugLocalHook')]
