_base_ = '../bp/resnet110_bp_1xb128-400e_stl10.py'
model = dict(
    auxiliary_heads=dict(type='PredSimHead'),
)
custom_hooks = [dict(type='AugLocalHook')]
