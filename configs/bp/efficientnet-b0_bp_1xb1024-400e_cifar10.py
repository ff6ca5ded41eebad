_base_ = [
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/small_images_400e.py',
    '../_base_/pretraining_runtime.py',
]
# One halving fewer than on ImageNet.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='TorchvisionBackbone', name='efficientnet_b0', strides={'features.0.0': 1}),
    head=dict(type='LinearHead', num_classes=10),
)
