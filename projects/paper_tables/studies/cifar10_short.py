# ResNet-32 under every rule on one short schedule, for a machine without a GPU.
title = 'CIFAR-10, ResNet-32, first 20,000 training images, 3 epochs, batch 128: top-1'
note = (
    'The images are JPEG of quality 75 and the schedule is three epochs of a subset: the order of the rules can be '
    "compared with the paper's, the figures cannot."
)
data_root = '{{$CIFAR10_JPEG:data/cifar10_jpeg}}'
augmentation = [
    dict(type='Pad', padding=4, padding_mode='reflect'),
    dict(type='RandomCrop', size=32),
    dict(type='RandomHorizontalFlip'),
]
options = {
    'train_dataloader.batch_size': 128,
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
    'optim_wrapper.optimizer.lr': 0.1,
    'param_scheduler': [
        dict(type='LinearLR', start_factor=0.1, end=1, by_epoch=True, convert_to_iter_based=True),
        dict(type='CosineAnnealingLR', T_max=3, by_epoch=True, convert_to_iter_based=True),
    ],
    'train_cfg.max_epochs': 3,
    'auto_scale_lr.base_batch_size': 128,
}
row = 'ResNet-32'
auglocal = 'configs/auglocal/resnet32_auglocal-d5_1xb1024-400e_cifar10.py'
runs = [
    dict(row=row, column='BP', config='configs/bp/resnet32_bp_1xb1024-400e_cifar10.py', paper={'accuracy/top1': 93.73}),
    dict(
        row=row,
        column='PredSim',
        config='configs/predsim/resnet32_predsim_1xb1024-400e_cifar10.py',
        paper={'accuracy/top1': 79.29},
    ),
    dict(
        row=row,
        column='InfoPro',
        config='configs/infopro/resnet32_infopro_1xb1024-400e_cifar10.py',
        paper={'accuracy/top1': 87.26},
    ),
    dict(
        row=row, column='DGL', config='configs/dgl/resnet32_dgl_1xb1024-400e_cifar10.py', paper={'accuracy/top1': 86.30}
    ),
    *(
        dict(
            row=row,
            column=f'd={depth}',
            config=auglocal,
            options={'model.auxiliary_heads.depth': depth, 'model.partition.last_module_layers': depth},
            paper={'accuracy/top1': top1},
        )
        for depth, top1 in ((2, 91.12), (4, 93.08), (6, 93.47))
    ),
]
