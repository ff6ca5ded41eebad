# How fast auxiliary networks grow shallow: ResNet-110 on CIFAR-10. What each costs is in results/costs.md.
title = 'Pyramidal depth, ResNet-110 on CIFAR-10: top-1'
note = "The grid of the paper's ablation; of its figures only the costs are quoted here (results/costs.md)."
runs = []
for depth in range(5, 10):
    for decay in (1.0, 0.9, 0.8, 0.7, 0.6):
        runs.append(
            dict(
                row=f'd={depth}',
                column=f'r={decay}',
                config='configs/auglocal/resnet110_auglocal-d5_1xb1024-400e_cifar10.py',
                options={
                    'model.auxiliary_heads.depth': depth,
                    'model.auxiliary_heads.pyramid': decay,
                    'model.partition.last_module_layers': depth,
                },
            )
        )
