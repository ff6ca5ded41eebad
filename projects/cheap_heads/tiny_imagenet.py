# ResNet-34, layer by layer with cheaper heads, on ten classes of Tiny ImageNet, with the configs of small_transfer.
title = 'tiny_imagenet10, ResNet-34, 64 px, 6 epochs: top-1 with cheaper heads'
note = '5,000 training and 500 validation images, one schedule for all, bfloat16.'
options = {'optim_wrapper.type': 'AmpOptimWrapper'}
heads = 'model.auxiliary_heads'
turns = dict(custom_hooks=[dict(type='AugLocalHook', update_every=2)])
variants = {
    'd=5': {},
    'pooled': {f'{heads}.pooling': 2},
    'half width': {f'{heads}.width': 0.5},
    'pooled, half width': {f'{heads}.pooling': 2, f'{heads}.width': 0.5},
    'half of the batch': {f'{heads}.batch_share': 0.5},
    'in turn': turns,
    'pooled, in turn': {f'{heads}.pooling': 2, **turns},
    'DGL': {heads: dict(_delete_=True, type='DGLHead'), 'model.image_size': 64},
}
config = 'projects/small_transfer/configs/resnet34_{}_tiny-imagenet10-64px.py'
runs = [
    dict(row='6 epochs', column='BP', config=config.format('bp')),
    *(
        dict(row='6 epochs', column=column, config=config.format('auglocal-d5'), options=settings)
        for column, settings in variants.items()
    ),
]
