_base_ = [
    '../_base_/models/resnet.py',
    '../_base_/datasets/in1k.py',
    '../_base_/schedules/in1k_200e.py',
    '../_base_/pretraining_runtime.py',
]
