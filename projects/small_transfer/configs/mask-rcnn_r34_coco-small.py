# Mask R-CNN R-34 FPN on coco_small with its 12 super-categories: 274 images to train on, 80 to evaluate, for one machine
# without a GPU. The backbone file is given on the command line: model.backbone.init_cfg.checkpoint=...
_base_ = '../../../configs/_base_/benchmarks/mask-rcnn_r34_fpn_8xb2-1x-adamw_coco.py'
data_root = '{{$COCO_SMALL:data/coco_small}}'
classes = (
    'person',
    'vehicle',
    'outdoor',
    'animal',
    'accessory',
    'sports',
    'kitchen',
    'food',
    'furniture',
    'electronic',
    'appliance',
    'indoor',
)
scale = (320, 224)
epochs = 6

model = dict(
    roi_head=dict(bbox_head=dict(num_classes=len(classes)), mask_head=dict(num_classes=len(classes))),
    # A fifth of the usual proposals: on a CPU the heads would otherwise dominate the cost.
    train_cfg=dict(rpn_proposal=dict(nms_pre=400, max_per_img=200), rcnn=dict(sampler=dict(num=96))),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=200)),
)
train_pipeline = [
    dict(type='auglocal_mm.LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='auglocal_mm.LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/instances_train_super12.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=classes),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/instances_val_super12.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=classes),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + '/annotations/instances_val_super12.json')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
default_hooks = dict(logger=dict(interval=10))
