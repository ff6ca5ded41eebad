_base_ = [
    '../_base_/datasets/svhn.py',
    '../_base_/schedules/small_images_400e.py',
    '../_base_/pretraining_runtime.py',
]
model = dict(
    type='ImageClassifier',
    backbone=dict(type='CIFARResNet', depth=32),
    head=dict(type='LinearHead', num_classes=10),
)
