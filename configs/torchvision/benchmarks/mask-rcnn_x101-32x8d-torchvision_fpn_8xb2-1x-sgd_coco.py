_base_ = '../../_base_/benchmarks/mask-rcnn_x101-32x8d_fpn_8xb2-1x-sgd_coco.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='torchvision://resnext101_32x8d')))
