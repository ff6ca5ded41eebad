# CIFAR-10 as stored by torchvision, in data/cifar10 or in the folder that the environment variable CIFAR10 names.
data_root = '{{$CIFAR10:data/cifar10}}'

train_dataloader = dict(
    batch_size=1024,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='collate_images'),
    dataset=dict(
        type='TorchvisionDataset',
        name='CIFAR10',
        data_root=data_root,
        split='train',
        transforms=[
            dict(type='Pad', padding=4, padding_mode='reflect'),
            dict(type='RandomCrop', size=32),
            dict(type='RandomHorizontalFlip'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1024,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_images'),
    dataset=dict(type='TorchvisionDataset', name='CIFAR10', data_root=data_root, split='test'),
)
val_evaluator = dict(type='Accuracy', topk=(1,))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
model = dict(
    data_preprocessor=dict(type='ImgDataPreprocessor', mean=[125.3, 123.0, 113.9], std=[63.0, 62.1, 66.7]),
    image_size=32,
)
