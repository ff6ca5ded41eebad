"""The layer outputs of a trained classifier, and the images on which it is analysed."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor, nn

from auglocal_mm.engine.hooks.data_check_hook import check_classes
from auglocal_mm.errors import InputError
from auglocal_mm.models import ImageClassifier
from auglocal_mm.models.classifiers import is_classifier
from auglocal_mm.registry import MODELS
from auglocal_mm.settings.config_file import read_config_file
from auglocal_mm.weights.checkpoint_file import read_weights
from auglocal_mm.weights.load_weights import is_of_network, select_weights


def read_config(path: str, options: Mapping[str, Any] | None = None) -> Config:
    """Reads the config of a classifier.

    Raises:
        InputError: As for :func:`read_config_file`, or the model is not a classifier that can be partitioned.
    """
    config = read_config_file(path, options)
    if not is_classifier(config.get('model', {})):
        raise InputError(f'{path} is not the config of a classifier that can be partitioned; take one from configs/bp')
    init_default_scope('auglocal_mm')
    return config


def load_classifier(config: Config, checkpoint: str) -> ImageClassifier:
    """Builds the classifier and loads its weights, in evaluation mode.

    Raises:
        InputError: The checkpoint cannot be read, or is of another network.
    """
    model = MODELS.build(config.model)
    weights, _ = select_weights(model, read_weights(checkpoint), checkpoint, is_of_network)
    model.load_state_dict(weights, strict=False)
    return model.to('cuda' if torch.cuda.is_available() else 'cpu').eval()


def labelled_batches(
    loader: Mapping[str, Any], images: int, model: nn.Module, name: str = 'validation'
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields images, uint8 (N, 3, H, W), and labels (N,), up to ``images`` of them or the end of the data.

    They are drawn from the full data set, in the same order each time.

    Args:
        loader: Config of a data loader.
        images: Number of images.
        model: The model whose number of classes the data must have.
        name: Name of the data in errors.

    Raises:
        InputError: The number of classes differs, or ``images`` is less than 1.
    """
    if images < 1:
        raise InputError(f'the number of images is {images}; expected at least 1, give another --images or omit it')
    shuffled = {**loader, 'sampler': {'type': 'DefaultSampler', 'shuffle': True}}  # a folder is sorted by class
    built = Runner.build_dataloader(shuffled, seed=0)
    check_classes(built.dataset, model, name)
    count = 0
    for data in built:
        keep = min(len(data['inputs']), images - count)
        count += keep
        yield data['inputs'][:keep], data['data_samples'][:keep]
        if count == images:
            return


@torch.no_grad()
def layer_outputs(model: ImageClassifier, images: Tensor) -> Iterator[Tensor]:
    """Yields the output of each local layer, in order: maps (N, C, H, W) or tokens (N, T, C).

    Args:
        model: The classifier, which first normalises the images as in its training.
        images: uint8 (N, 3, H, W), on any device.
    """
    images = model.data_preprocessor({'inputs': images}, training=False)['inputs']
    for layer in model.layers:
        images = layer.module(images)
        yield images


def pooled_outputs(model: ImageClassifier, images: Tensor) -> list[Tensor]:
    """The mean over all positions (N, C) of every local layer's output, maps or tokens; arguments as above."""
    outputs = zip(layer_outputs(model, images), model.shapes, strict=True)
    return [features.movedim(shape.channel_dim + 1, 1).flatten(2).mean(dim=2) for features, shape in outputs]
