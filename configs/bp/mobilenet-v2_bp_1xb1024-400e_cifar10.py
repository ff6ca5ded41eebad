_base_ = [
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/small_images_400e.py',
    '../_base_/pretraining_runtime.py',
]
# Two halvings fewer than on ImageNet.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='TorchvisionBackbone', name='mobilenet_v2', strides={'features.0.0': 1, 'features.2.conv.1.0': 1}
    ),
    head=dict(type='LinearHead', num_classes=10),
)
