_base_ = [
    '../_base_/datasets/in1k.py',
    '../_base_/schedules/in1k_200e.py',
    '../_base_/pretraining_runtime.py',
]
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(type='ImgDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(type='TorchvisionBackbone', name='vgg13_bn'),
    head=dict(type='VGGHead', num_classes=1000),
)
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=0.1))
train_cfg = dict(max_epochs=90)
auto_scale_lr = dict(base_batch_size=256)
