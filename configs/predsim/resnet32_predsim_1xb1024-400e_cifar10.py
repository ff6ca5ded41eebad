_base_ = '../bp/resnet32_bp_1xb1024-400e_cifar10.py'
model = dict(
    auxiliary_heads=dict(type='PredSimHead'),
)
custom_hooks = [dict(type='AugLocalHook')]
