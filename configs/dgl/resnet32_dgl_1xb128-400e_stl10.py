_base_ = '../bp/resnet32_bp_1xb128-400e_stl10.py'
model = dict(
    auxiliary_heads=dict(type='DGLHead'),
)
custom_hooks = [dict(type='AugLocalHook')]
