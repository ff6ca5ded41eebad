_base_ = './_base_/mask-rcnn_r34_digits.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/resnet34_bp_digits/backbone.pth')))
