_base_ = '../../_base_/benchmarks/mask-rcnn_x101-32x8d_fpn_8xb2-1x-sgd_coco.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/resnext101-32x8d_imported/backbone.pth')))
