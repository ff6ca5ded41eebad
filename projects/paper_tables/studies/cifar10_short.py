# ResNet-32 under every method on short schedules, for a machine without a GPU.
title = 'CIFAR-10, ResNet-32, first 20,000 training images: top-1'
note = (
    'The images are JPEG of quality 75, and the schedules are a few epochs of a subset, with 468, 1,875 and 1,248 updates: '
    "the ranking of the methods can be compared with the paper's, the figures cannot."
)
data_root = '{{$CIFAR10_JPEG:data/cifar10_jpeg}}'
augmentation = [
    dict(type='Pad', padding=4, padding_mode='reflect'),
    dict(type='RandomCrop', size=32),
    dict(type='RandomHorizontalFlip'),
]
options = {
    'train_dataloader.num_workers': 1,
    'train_dataloader.drop_last': True,
    'train_dataloader.dataset': dict(
        _delete_=True, type='ImageFolder', data_root=data_root, split='train', transforms=augmentation
    ),
    'val_dataloader.batch_size': 500,
    'val_dataloader.num_workers': 1,
    'val_dataloader.dataset': dict(_delete_=True, type='ImageFolder', data_root=data_root, split='test'),
    'test_dataloader.dataset': dict(_delete_=True, type='ImageFolder', data_root=data_root, split='test'),
    'optim_wrapper.type': 'AmpOptimWrapper',
}
schedules = [  # batch, epochs, learning rate
    (128, 3, 0.1),
    (32, 3, 0.05),
    (128, 8, 0.1),
]
methods = [
    ('BP', 'bp/resnet32_bp', 0, 93.73),
    ('PredSim', 'predsim/resnet32_predsim', 0, 79.29),
    ('InfoPro', 'infopro/resnet32_infopro', 0, 87.26),
    ('DGL', 'dgl/resnet32_dgl', 0, 86.30),
    ('d=2', 'auglocal/resnet32_auglocal-d5', 2, 91.12),
    ('d=4', 'auglocal/resnet32_auglocal-d5', 4, 93.08),
    ('d=6', 'auglocal/resnet32_auglocal-d5', 6, 93.47),
]
runs = []
for batch, epochs, learning_rate in schedules:
    for column, config, depth, top1 in methods:
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
        if depth:
            settings |= {'model.auxiliary_heads.depth': depth, 'model.partition.last_module_layers': depth}
        runs.append(
            dict(
                row=f'batch {batch}, {epochs} epochs',
                column=column,
                config=f'configs/{config}_1xb1024-400e_cifar10.py',
                options=settings,
                paper={'accuracy/top1': top1},
            )
        )
