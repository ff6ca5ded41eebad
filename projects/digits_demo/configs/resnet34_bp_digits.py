# ResNet-34, half as wide, by backpropagation on 1,437 handwritten digits of 32x32, for two CPU cores.
_base_ = '../../../configs/bp/resnet34_bp_1xb256-200e_in1k.py'
data_root = '{{$DIGITS:data/digits}}/digits'
epochs = 5

model = dict(backbone=dict(base_channels=32), head=dict(num_classes=10))
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        transforms=[dict(type='RandomAffine', degrees=10, translate=(0.1, 0.1), scale=(0.8, 1.1))],
    ),
)
val_dataloader = dict(
    batch_size=60,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, transforms=[dict(type='Resize', size=32)]),
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.02))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(logger=dict(interval=5))
auto_scale_lr = dict(base_batch_size=32)
