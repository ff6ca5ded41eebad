# ResNet-34 by backpropagation on the ten classes of tiny_imagenet10, 5,000 images of 64x64, for one machine without a GPU.
_base_ = '../../../configs/bp/resnet34_bp_1xb256-200e_in1k.py'
data_root = '{{$TINY_IMAGENET:data/tiny_imagenet10}}'
epochs = 6

model = dict(head=dict(num_classes=10))
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        transforms=[dict(type='RandomResizedCrop', size=64, scale=(0.35, 1.0)), dict(type='RandomHorizontalFlip')],
    ),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=1,
    dataset=dict(data_root=data_root, transforms=[dict(type='Resize', size=64), dict(type='CenterCrop', size=64)]),
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.025))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(logger=dict(interval=20))
auto_scale_lr = dict(base_batch_size=64)
