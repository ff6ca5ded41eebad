# ResNet-32 with cheaper heads, on two of the short schedules of paper_tables, whose images and settings these runs share.
_base_ = '../paper_tables/studies/cifar10_short.py'
title = 'CIFAR-10, ResNet-32, first 20,000 training images: top-1 with cheaper heads'
note = (
    'The images are JPEG of quality 75, and the schedules have 468 and 1,248 updates: they compare heads, not methods.'
)
schedules = [(3, 0.1), (8, 0.1)]  # epochs, learning rate
batch = 128
heads = 'model.auxiliary_heads'
turns = dict(custom_hooks=[dict(type='AugLocalHook', update_every=2)])
variants = {
    'd=4': {},
    'pooled': {f'{heads}.pooling': 2},
    'half width': {f'{heads}.width': 0.5},
    'pooled, half width': {f'{heads}.pooling': 2, f'{heads}.width': 0.5},
    'half of the batch': {f'{heads}.batch_share': 0.5},
    'in turn': turns,
    'pooled, in turn': {f'{heads}.pooling': 2, **turns},
}
local = 'configs/auglocal/resnet32_auglocal-d5_1xb1024-400e_cifar10.py'
published = {f'{heads}.depth': 4, 'model.partition.last_module_layers': 4}
trainings = [  # column, config, settings
    ('BP', 'configs/bp/resnet32_bp_1xb1024-400e_cifar10.py', {}),
    ('DGL', 'configs/dgl/resnet32_dgl_1xb1024-400e_cifar10.py', {}),
    *((column, local, {**published, **settings}) for column, settings in variants.items()),
]
runs = []
for epochs, learning_rate in schedules:
    for column, path, chosen in trainings:
        settings = {
            'train_dataloader.batch_size': batch,
            'auto_scale_lr.base_batch_size': batch,
            'optim_wrapper.optimizer.lr': learning_rate,
            'train_cfg.max_epochs': epochs,
            'param_scheduler': [
                dict(type='LinearLR', start_factor=0.1, end=1, by_epoch=True, convert_to_iter_based=True),
                dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True, convert_to_iter_based=True),
            ],
        }
        runs.append(dict(row=f'{epochs} epochs', column=column, config=path, options={**settings, **chosen}))
