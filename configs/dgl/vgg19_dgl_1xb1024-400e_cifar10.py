_base_ = '../bp/vgg19_bp_1xb1024-400e_cifar10.py'
model = dict(
    auxiliary_heads=dict(type='DGLHead'),
)
custom_hooks = [dict(type='AugLocalHook')]
