# The paper fine-tunes with AdamW and gives no details; these are MMDetection's settings for AdamW (of its Swin Mask R-CNN), with
# all stages trained and BatchNorm in evaluation mode.
_base_ = './coco.py'

model = dict(backbone=dict(frozen_stages=-1))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
