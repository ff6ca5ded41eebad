_base_ = [
    '../_base_/datasets/stl10.py',
    '../_base_/schedules/small_images_400e.py',
    '../_base_/pretraining_runtime.py',
]
model = dict(
    type='ImageClassifier',
    backbone=dict(type='CIFARResNet', depth=32),
    head=dict(type='LinearHead', num_classes=10),
)
optim_wrapper = dict(optimizer=dict(lr=0.1))
auto_scale_lr = dict(base_batch_size=128)
