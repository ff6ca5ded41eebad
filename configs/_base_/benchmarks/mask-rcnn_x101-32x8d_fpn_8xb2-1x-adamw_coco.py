_base_ = './mask-rcnn_r101_fpn_8xb2-1x-adamw_coco.py'
model = dict(backbone=dict(type='ResNeXt', groups=32, base_width=8))
