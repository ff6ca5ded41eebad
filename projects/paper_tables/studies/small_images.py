# CIFAR-10, SVHN and STL-10: every method on ResNet-32, ResNet-110 and VGG19.
title = 'Small images: top-1'
note = (
    "The paper's tables for CIFAR-10, SVHN and STL-10. For VGG19 it prints three growing depths without saying which in "
    'the quoted table, which has no InfoPro on VGG19; they are listed under d=2, d=3 and d=4.'
)
paper = {
    ('ResNet-32', 'CIFAR-10'): (93.73, 79.29, 87.26, 86.30, 91.12, 92.26, 93.08, 93.38, 93.47),
    ('ResNet-32', 'SVHN'): (97.01, 92.02, 93.30, 95.14, 95.86, 96.43, 96.79, 96.87, 96.85),
    ('ResNet-32', 'STL-10'): (80.80, 70.67, 70.85, 73.13, 78.58, 79.79, 80.65, 80.73, 80.95),
    ('ResNet-110', 'CIFAR-10'): (94.61, 74.95, 86.95, 85.69, 90.98, 92.62, 93.22, 93.75, 93.96),
    ('ResNet-110', 'SVHN'): (97.10, 89.90, 92.26, 95.12, 95.92, 96.45, 96.74, 96.85, 96.96),
    ('ResNet-110', 'STL-10'): (80.41, 68.91, 70.61, 72.27, 78.29, 79.30, 80.77, 80.20, 80.40),
    ('VGG19', 'CIFAR-10'): (93.68, 86.49, None, 92.48, 93.16, 93.46, 93.69),
    ('VGG19', 'SVHN'): (96.79, 94.07, None, 96.63, 96.48, 96.65, 96.64),
    ('VGG19', 'STL-10'): (None,) * 7,
}
columns = ('BP', 'PredSim', 'InfoPro', 'DGL', 'd=2', 'd=3', 'd=4', 'd=5', 'd=6')
runs = []
for (network, data), values in paper.items():
    for column, value in zip(columns, values, strict=False):
        method = 'auglocal' if '=' in column else column.lower()
        suffix = '-d5' if method == 'auglocal' else ''
        batch = 128 if data == 'STL-10' else 1024
        stem = f'{network.lower().replace("-", "")}_{method}{suffix}_1xb{batch}-400e_{data.lower().replace("-", "")}'
        depth = int(column[2:]) if method == 'auglocal' else 0
        runs.append(
            dict(
                row=f'{network} {data}',
                column=column,
                config=f'configs/{method}/{stem}.py',
                options={'model.auxiliary_heads.depth': depth, 'model.partition.last_module_layers': depth}
                if depth
                else {},
                paper={'accuracy/top1': value} if value else {},
            )
        )
