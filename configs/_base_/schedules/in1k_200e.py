# SGD with Nesterov momentum, cosine decay to zero by epoch. The learning rate scales with the batch: 0.4 for 1024 images.
optim_wrapper = dict(
    constructor='LocalOptimWrapperConstructor',  # one optimizer under BP, one for each local module otherwise
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.4, momentum=0.9, weight_decay=1e-4, nesterov=True, fused=True),
)
param_scheduler = dict(type='CosineAnnealingLR', eta_min=0.0, by_epoch=True)  # without T_max, until max_epochs
train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=1024, enable=False)
