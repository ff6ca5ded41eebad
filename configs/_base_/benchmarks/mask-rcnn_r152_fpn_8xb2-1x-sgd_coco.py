_base_ = './mask-rcnn_fpn_8xb2-1x-sgd_coco.py'
model = dict(backbone=dict(depth=152))
