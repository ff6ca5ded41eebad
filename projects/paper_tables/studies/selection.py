# Which layers an auxiliary network copies: ResNet-110 on CIFAR-10.
title = 'Selection of layers, ResNet-110 on CIFAR-10: top-1'
note = "The paper's ablation, d = 2 to 9."
heads = {
    'uniform': dict(selection='uniform'),
    'sequential': dict(selection='sequential'),
    'repetitive': dict(selection='repetitive'),
    '1x1 convolutions': dict(_delete_=True, type='ConvolutionHead', kernel_size=1, pyramid=0.5),
    '3x3 convolutions': dict(_delete_=True, type='ConvolutionHead', kernel_size=3, pyramid=0.5),
}
paper = {
    'uniform': (90.98, 92.62, 93.22, 93.75, 93.96, 94.03, 94.01, 94.30),
    'sequential': (82.19, 85.34, 86.88, 88.52, 89.49, 90.44, 91.15, 91.85),
    'repetitive': (82.24, 85.16, 86.47, 87.64, 88.59, 89.30, 89.85, 90.79),
    '1x1 convolutions': (80.61, 87.34, 88.40, 89.29, 88.82, 89.55, 89.16, 89.05),
    '3x3 convolutions': (83.03, 85.82, 87.84, 89.19, 90.01, 90.73, 91.11, 91.50),
}
runs = []
for row, values in paper.items():
    for depth, value in zip(range(2, 10), values, strict=True):
        runs.append(
            dict(
                row=row,
                column=f'd={depth}',
                config='configs/auglocal/resnet110_auglocal-d5_1xb1024-400e_cifar10.py',
                options={
                    'model.auxiliary_heads': {**heads[row], 'depth': depth},
                    'model.partition.last_module_layers': depth,
                },
                paper={'accuracy/top1': value},
            )
        )
