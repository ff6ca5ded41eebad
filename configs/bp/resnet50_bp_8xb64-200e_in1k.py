_base_ = [
    '../_base_/models/resnet.py',
    '../_base_/datasets/in1k.py',
    '../_base_/schedules/in1k_200e.py',
    '../_base_/pretraining_runtime.py',
]
model = dict(backbone=dict(depth=50))
train_dataloader = dict(batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=0.2))
auto_scale_lr = dict(base_batch_size=512)
