_base_ = '../../_base_/benchmarks/mask-rcnn_r50_fpn_8xb2-1x-sgd_coco.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/resnet50_auglocal-d4_8xb64-200e_in1k/backbone.pth')))
