"""Evaluates a checkpoint on the test data of its config."""

import argparse
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import auglocal_mm  # noqa: F401  (provides mmcv's operators before MMDetection asks for them)
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import add_common_arguments, command_line_tool, load_config
from auglocal_mm.weights.load_weights import is_of_network, select_weights

META_KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction')


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint of the trained model')
    parser.add_argument('--out', type=Path, metavar='FILE', help='write the predictions to this .pkl file')
    parser.add_argument('--show', action='store_true', help='show the images with detections in a window')
    parser.add_argument('--show-dir', help='save drawn detections to this folder under work_dir/<timestamp>')
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds for which --show displays each image; default: %(default)s'
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='test-time augmentation: built in for detectors without masks, by tta_model of the config for others',
    )
    return parser.parse_args(arguments)


def dump_predictions(config: Config, path: Path) -> None:
    """Adds MMEngine's or MMDetection's metric that writes all predictions.

    Raises:
        InputError: ``path`` is not a .pkl file.
    """
    if path.suffix not in ('.pkl', '.pickle') or path.is_dir():
        raise InputError(f'--out is {path}; expected a file name that ends in .pkl')
    path.parent.mkdir(parents=True, exist_ok=True)
    evaluators = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    kind = 'mmdet.DumpDetResults' if config.get('default_scope') == 'mmdet' else 'mmengine.DumpResults'
    config.test_evaluator = [*evaluators, dict(type=kind, out_file_path=str(path))]


def draw_detections(config: Config, options: argparse.Namespace) -> None:
    """Enables MMDetection's drawing of detections.

    Raises:
        InputError: The config has no visualization hook, such as that of a classifier.
    """
    if 'visualization' not in config.get('default_hooks', {}):
        raise InputError('--show and --show-dir need default_hooks.visualization in the config; add it, or omit them')
    from mmdet.engine.hooks.utils import trigger_visualization_hook  # classifiers do not need MMDetection

    trigger_visualization_hook(config, options)


def augment(config: Config) -> None:
    """Wraps the model in ``tta_model``: by default detections on the image and its mirror image are merged.

    Raises:
        InputError: There is no ``tta_model``, and the model is not a detector without masks.
    """
    if 'tta_model' not in config and config.model.get('roi_head', {}).get('mask_head'):
        raise InputError(
            "--tta merges boxes only (MMDetection's DetTTAModel), but model.roi_head has a mask_head; set tta_model, or omit "
            '--tta'
        )
    dataset = config.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    if config.get('default_scope') == 'mmdet':
        merge = dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)
        config.setdefault('tta_model', dict(type='DetTTAModel', tta_cfg=merge))
        flips = [dict(type='RandomFlip', prob=prob) for prob in (1.0, 0.0)]
        pack = [dict(type='PackDetInputs', meta_keys=META_KEYS)]
        pipeline = [*deepcopy(dataset.pipeline[:-1]), dict(type='TestTimeAug', transforms=[flips, pack])]
        config.setdefault('tta_pipeline', pipeline)
    elif 'tta_model' not in config or 'tta_pipeline' not in config:
        raise InputError('--tta needs tta_model and tta_pipeline in the config of a classifier; add them')
    config.model = dict(**config.tta_model, module=config.model)
    dataset.pipeline = config.tta_pipeline


class WholeNetworkHook(Hook):
    """Refuses a checkpoint that does not cover the network, except for auxiliary heads."""

    priority = 'VERY_HIGH'  # before the other hooks take anything from it

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compares the names and shapes of the checkpoint with those of the model.

        Raises:
            InputError: They differ, or it is that of a backbone alone.
        """
        network = unwrapped(runner.model)
        if any(f'backbone.{name}' in network.state_dict() for name in checkpoint.get('state_dict', checkpoint)):
            raise InputError(
                f'{runner.cfg.load_from} contains a backbone alone, expected the whole {type(network).__name__}; give a '
                'checkpoint of its training, such as epoch_N.pth'
            )
        select_weights(network, checkpoint, runner.cfg.load_from, is_of_network)


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    config = load_config(options)
    config.load_from = options.checkpoint
    # Nothing is trained: the training hooks and the initial weights are not needed.
    config.custom_hooks = []
    config.resume = False
    if options.out:
        dump_predictions(config, options.out)
    if options.show or options.show_dir:
        draw_detections(config, options)
    if options.tta:
        augment(config)
    runner = Runner.from_cfg(config)
    runner.register_hook(WholeNetworkHook())
    runner.test()


if __name__ == '__main__':
    main()
