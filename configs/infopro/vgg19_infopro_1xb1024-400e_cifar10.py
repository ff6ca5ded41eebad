_base_ = '../bp/vgg19_bp_1xb1024-400e_cifar10.py'
model = dict(
    auxiliary_heads=dict(type='InfoProHead', loss_weights=dict(cross_entropy=(0.05, 0.5), reconstruction=(5.0, 0.2))),
)
custom_hooks = [dict(type='AugLocalHook')]
