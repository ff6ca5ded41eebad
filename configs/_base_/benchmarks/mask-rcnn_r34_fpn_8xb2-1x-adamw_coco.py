_base_ = './mask-rcnn_fpn_8xb2-1x-adamw_coco.py'
model = dict(backbone=dict(depth=34), neck=dict(in_channels=[64, 128, 256, 512]))
