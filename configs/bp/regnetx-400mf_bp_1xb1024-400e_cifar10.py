_base_ = [
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/small_images_400e.py',
    '../_base_/pretraining_runtime.py',
]
# Two halvings fewer than on ImageNet.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='TorchvisionBackbone',
        name='regnet_x_400mf',
        strides={'stem.0': 1, 'trunk_output.block1.block1-0.proj.0': 1, 'trunk_output.block1.block1-0.f.b.0': 1},
    ),
    head=dict(type='LinearHead', num_classes=10),
)
