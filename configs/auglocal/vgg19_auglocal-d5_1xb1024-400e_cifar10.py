_base_ = '../bp/vgg19_bp_1xb1024-400e_cifar10.py'
model = dict(
    auxiliary_heads=dict(
        type='AugLocalHead',
        depth=5,
        pyramid=0.5,
        downsampling='max_pool',
        classifier=dict(type='PooledPerceptronHead'),
    ),
    partition=dict(last_module_layers=5),
)
custom_hooks = [dict(type='AugLocalHook')]
