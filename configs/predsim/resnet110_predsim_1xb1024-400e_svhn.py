_base_ = '../bp/resnet110_bp_1xb1024-400e_svhn.py'
model = dict(
    auxiliary_heads=dict(type='PredSimHead'),
)
custom_hooks = [dict(type='AugLocalHook')]
