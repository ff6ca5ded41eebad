_base_ = '../../_base_/benchmarks/mask-rcnn_r152_fpn_8xb2-1x-sgd_coco.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/resnet152_imported/backbone.pth')))
