_base_ = '../bp/resnet110_bp_1xb1024-400e_svhn.py'
model = dict(
    auxiliary_heads=dict(type='InfoProHead', loss_weights=dict(cross_entropy=(0.0, 1.0), reconstruction=(5.0, 0.5))),
)
custom_hooks = [dict(type='AugLocalHook')]
