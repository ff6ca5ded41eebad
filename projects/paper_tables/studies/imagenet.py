# ImageNet: VGG13, ResNet-34 and ResNet-101.
title = 'ImageNet: top-1 and top-5'
note = 'The paper does not give the depth d for ResNet-101; d=4 is used here.'
metrics = ['accuracy/top1', 'accuracy/top5']
cells = [
    ('VGG13', 'BP', 'bp/vgg13_bp_8xb32-90e_in1k', 71.59, 90.37),
    ('VGG13', 'DGL', 'dgl/vgg13_dgl_8xb32-90e_in1k', 67.32, 87.81),
    ('VGG13', 'AugLocal', 'auglocal/vgg13_auglocal-d3_8xb32-90e_in1k', 70.92, 90.13),
    ('ResNet-34', 'BP', 'bp/resnet34_bp_8xb128-200e_in1k', 74.28, 91.76),
    ('ResNet-34', 'AugLocal', 'auglocal/resnet34_auglocal-d5_8xb128-200e_in1k', 73.95, 91.70),
    ('ResNet-101', 'BP', 'bp/resnet101_bp_8xb64-200e_in1k', 77.34, 93.71),
    ('ResNet-101', 'AugLocal', 'auglocal/resnet101_auglocal-d4_8xb64-200e_in1k', 76.70, 93.29),
]
runs = [
    dict(
        row=row,
        column=column,
        config=f'configs/{config}.py',
        paper={'accuracy/top1': top1, 'accuracy/top5': top5},
    )
    for row, column, config, top1, top5 in cells
]
