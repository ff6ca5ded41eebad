# AugLocal with InfoPro's reconstruction loss: ResNet-110 on CIFAR-10.
title = "AugLocal with InfoPro's loss, ResNet-110 on CIFAR-10: top-1"
note = "The paper tuned the weights of the losses and does not give them; these are InfoPro's for ResNet-110."
weights = dict(cross_entropy=1.0, reconstruction=(5.0, 0.5))
paper = (91.59, 92.75, 93.71, 94.11, 94.02, 94.17, 94.29, 94.08)
runs = []
for depth, value in zip(range(2, 10), paper, strict=True):
    runs.append(
        dict(
            row='AugLocal + InfoPro',
            column=f'd={depth}',
            config='configs/auglocal/resnet110_auglocal-d5_1xb1024-400e_cifar10.py',
            options={
                'model.auxiliary_heads': dict(type='AugLocalInfoProHead', depth=depth, loss_weights=weights),
                'model.partition.last_module_layers': depth,
            },
            paper={'accuracy/top1': value},
        )
    )
