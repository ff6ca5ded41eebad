_base_ = './resnet101_bp_8xb64-200e_in1k.py'
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=0.05))
auto_scale_lr = dict(base_batch_size=128)
