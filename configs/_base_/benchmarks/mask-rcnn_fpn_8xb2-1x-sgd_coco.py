# MMDetection's own protocol: SGD, stem and first stage frozen, BatchNorm in evaluation mode.
_base_ = './coco.py'
