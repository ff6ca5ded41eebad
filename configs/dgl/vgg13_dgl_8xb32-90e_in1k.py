_base_ = '../bp/vgg13_bp_8xb32-90e_in1k.py'
model = dict(auxiliary_heads=dict(type='DGLHead'))
custom_hooks = [dict(type='AugLocalHook')]
