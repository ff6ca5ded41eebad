# Does a coarse partition (small K) learn? Ten classes of Tiny ImageNet, six epochs, with the configs of small_transfer.
title = 'Coarse partitions on tiny_imagenet10, 64 px, 6 epochs: top-1'
note = 'K local modules, heads of depth d; 5,000 training and 500 validation images, one schedule for all, bfloat16.'
split_points = {
    'K=2': ['layer3.0'],  # where the planner splits ResNet-34 and ResNet-50 for 0.3x of the activations
    'K=4': ['layer1.0', 'layer1.2', 'layer2.3'],
}
config = 'projects/small_transfer/configs/resnet34_{}_tiny-imagenet10-64px.py'
options = {'optim_wrapper.type': 'AmpOptimWrapper'}
runs = [
    dict(row='ResNet-34', column='BP', config=config.format('bp')),
    dict(row='ResNet-34', column='layer-wise, d=5', config=config.format('auglocal-d5')),
]
for modules, depth in (('K=2', 2), ('K=2', 3), ('K=2', 5), ('K=4', 2), ('K=4', 3), ('K=4', 5)):
    runs.append(
        dict(
            row='ResNet-34',
            column=f'{modules}, d={depth}',
            config=config.format('auglocal-d5'),
            options={'model.partition': dict(split_points=split_points[modules]), 'model.auxiliary_heads.depth': depth},
        )
    )
runs += [
    dict(row='ResNet-50', column='BP', config=config.format('bp'), options={'model.backbone.depth': 50}),
    dict(
        row='ResNet-50',
        column='K=2, d=2',
        config=config.format('auglocal-d5'),
        options={
            'model.backbone.depth': 50,
            'model.partition': dict(split_points=split_points['K=2']),
            'model.auxiliary_heads.depth': 2,
        },
    ),
]
