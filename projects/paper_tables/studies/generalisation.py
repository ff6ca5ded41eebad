# Other families of networks on CIFAR-10.
title = 'MobileNetV2, EfficientNet-B0 and RegNetX-400MF on CIFAR-10: top-1'
note = (
    "The networks are torchvision's with fewer halvings, not the paper's variants for small images, and the paper prints "
    'four growing depths without naming them in the quoted table; they are listed under d=2 to d=5.'
)
paper = {
    'mobilenet-v2': (94.89, 92.16, 93.94, 94.43, 94.52),
    'efficientnet-b0': (93.52, 92.70, 92.84, 93.03, 93.13),
    'regnetx-400mf': (95.70, 94.42, 94.72, 94.96, 95.09),
}
runs = []
for network, values in paper.items():
    runs.append(
        dict(
            row=network,
            column='BP',
            config=f'configs/bp/{network}_bp_1xb1024-400e_cifar10.py',
            paper={'accuracy/top1': values[0]},
        )
    )
    for depth, value in zip(range(2, 6), values[1:], strict=True):
        runs.append(
            dict(
                row=network,
                column=f'd={depth}',
                config=f'configs/auglocal/{network}_auglocal-d5_1xb1024-400e_cifar10.py',
                options={'model.auxiliary_heads.depth': depth, 'model.partition.last_module_layers': depth},
                paper={'accuracy/top1': value},
            )
        )
