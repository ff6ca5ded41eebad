# ImageNet with one folder per class, in data/imagenet/{train,val} or in the folder that the environment variable IMAGENET names.
data_root = '{{$IMAGENET:data/imagenet}}'

train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='collate_images'),
    dataset=dict(
        type='ImageFolder',
        data_root=data_root,
        split='train',
        transforms=[dict(type='RandomResizedCrop', size=224), dict(type='RandomHorizontalFlip')],
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_images'),
    dataset=dict(
        type='ImageFolder',
        data_root=data_root,
        split='val',
        transforms=[dict(type='Resize', size=256), dict(type='CenterCrop', size=224)],
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
