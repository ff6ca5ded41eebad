import torch
from mmengine.registry import init_default_scope
from rich.console import Console

from auglocal_mm.analysis.partition_table import module_costs, to_table
from auglocal_mm.registry import MODELS


def costs(tiny_config, size=64):
    config = tiny_config(**{'model.backbone.base_channels': 64, 'model.auxiliary_heads.depth': 2})
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    names = [layer.name for layer in model.layers]
    return model, module_costs(model.local_modules(), names, torch.randn(1, 3, size, size))


def test_flops_and_parameters_agree_with_hand_counts(tiny_config):
    _, table = costs(tiny_config)
    stem, block = table[0], table[1]
    # The stem: one 7x7 convolution, stride 2, and BatchNorm. A multiply-add is two operations.
    assert (stem.parameters, stem.flops) == (3 * 64 * 49 + 128, 2 * 3 * 64 * 49 * 32 * 32)
    # A BasicBlock of 64 channels on 16x16: two 3x3 convolutions.
    assert (block.parameters, block.flops) == (2 * (64 * 64 * 9 + 128), 2 * 2 * 64 * 64 * 9 * 16 * 16)
    # The last module's head is the classifier itself: 256 x 3 weights, 3 biases.
    assert (table[-1].head_parameters, table[-1].head_flops, table[-1].auxiliary) == (256 * 3 + 3, 2 * 256 * 3, 'fc')


def test_every_parameter_is_counted_once(tiny_config):
    model, table = costs(tiny_config)
    counted = sum(cost.parameters + cost.head_parameters for cost in table)
    assert counted == sum(parameter.numel() for parameter in model.parameters())


def test_counting_leaves_no_trace(tiny_config):
    model, _ = costs(tiny_config)
    assert all(module.training for module in model.modules())
    assert model.backbone.bn1.num_batches_tracked == 0


def test_the_table_names_every_module_and_sums_up(tiny_config):
    _, table = costs(tiny_config)
    console = Console(width=160, record=True, quiet=True)
    console.quiet = False
    with console.capture() as capture:
        console.print(to_table(table, (64, 64)))
    text = capture.get()
    assert all(cost.name in text for cost in table)
    assert f'{sum(cost.flops for cost in table) / 1e9:.3f}' in text
