_base_ = './_base_/mask-rcnn_r34_digits.py'
model = dict(backbone=dict(init_cfg=None))
