_base_ = '../bp/resnet110_bp_1xb128-400e_stl10.py'
model = dict(
    auxiliary_heads=dict(type='AugLocalHead', depth=5, pyramid=0.5, shallow_norm=True),
    partition=dict(last_module_layers=5),
)
custom_hooks = [dict(type='AugLocalHook')]
