# ResNet-34 by backpropagation on the 100 classes of tiny_imagenet100, 20,000 images of 64x64, in bfloat16. The data, the number
# of epochs and the schedule are given on the command line.
_base_ = '../../../configs/bp/resnet34_bp_1xb256-200e_in1k.py'

model = dict(head=dict(num_classes=100), image_size=64)
train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        transforms=[dict(type='RandomResizedCrop', size=64, scale=(0.35, 1.0)), dict(type='RandomHorizontalFlip')],
    ),
)
val_dataloader = dict(
    batch_size=500,
    num_workers=1,
    dataset=dict(transforms=[dict(type='Resize', size=64), dict(type='CenterCrop', size=64)]),
)
test_dataloader = val_dataloader
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
default_hooks = dict(logger=dict(interval=20))
