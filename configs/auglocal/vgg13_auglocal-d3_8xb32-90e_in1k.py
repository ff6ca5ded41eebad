_base_ = '../bp/vgg13_bp_8xb32-90e_in1k.py'
model = dict(
    auxiliary_heads=dict(
        type='AugLocalHead', depth=3, downsampling='max_pool', classifier=dict(type='PooledPerceptronHead')
    ),
)
custom_hooks = [dict(type='AugLocalHook')]
