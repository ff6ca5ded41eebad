# SVHN (cropped digits) as stored by torchvision, in data/svhn or in the folder that the environment variable SVHN names.
data_root = '{{$SVHN:data/svhn}}'

train_dataloader = dict(
    batch_size=1024,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='collate_images'),
    dataset=dict(
        type='TorchvisionDataset',
        name='SVHN',
        data_root=data_root,
        split='train',
        transforms=[dict(type='RandomCrop', size=32, padding=2)],
    ),
)
val_dataloader = dict(
    batch_size=1024,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_images'),
    dataset=dict(type='TorchvisionDataset', name='SVHN', data_root=data_root, split='test'),
)
val_evaluator = dict(type='Accuracy', topk=(1,))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
model = dict(data_preprocessor=dict(type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3), image_size=32)
