# A ResNet for pretraining: unlike MMDetection's defaults, it neither freezes statistics nor zero-initialises residual branches.
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(type='ImgDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        type='mmdet.ResNet',
        depth=34,
        out_indices=(3,),
        frozen_stages=-1,
        norm_eval=False,
        zero_init_residual=False,
    ),
    head=dict(type='LinearHead', num_classes=1000),
)
