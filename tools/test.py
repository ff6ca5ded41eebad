"""Evaluates a checkpoint on the test data of its config."""

import argparse
from collections.abc import Sequence

from mmengine.runner import Runner

import auglocal_mm  # noqa: F401  (provides mmcv's operators before MMDetection asks for them)
from auglocal_mm.checkpoint_file import read_weights
from auglocal_mm.engine.launch import add_common_arguments, command_line_tool, load_config
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.load_weights import is_of_network, select_weights


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint of the trained model')
    options = parser.parse_args(arguments)
    config = load_config(options)
    config.load_from = options.checkpoint
    # Nothing is trained: the hooks of training, and the weights it would start from, are not needed.
    config.custom_hooks = []
    config.get('default_hooks', {}).pop('backbone_check', None)
    config.resume = False
    runner = Runner.from_cfg(config)
    select_weights(unwrapped(runner.model), read_weights(options.checkpoint), options.checkpoint, is_of_network)
    runner.test()


if __name__ == '__main__':
    main()
