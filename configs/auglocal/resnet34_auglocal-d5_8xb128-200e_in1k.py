_base_ = '../bp/resnet34_bp_8xb128-200e_in1k.py'
model = dict(
    auxiliary_heads=dict(type='AugLocalHead', depth=5),
    # No other layer keeps as much as the stem; its norm, ReLU and pooling computed again spare a quarter of the memory.
    checkpointed=[dict(norms='stem')],
)
custom_hooks = [dict(type='AugLocalHook')]
