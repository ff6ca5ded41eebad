"""The study of cheaper heads: its costs, and its report on made-up results."""

import json
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tests_support import REPOSITORY
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.benchmark import schemes
from auglocal_mm.local.step import in_turn, local_step
from auglocal_mm.planning.costs.activation_meter import ActivationMeter
from auglocal_mm.registry import MODELS
from auglocal_mm.studies import read_study

sys.path.insert(0, str(REPOSITORY / 'projects/cheap_heads'))

import head_costs
import head_plans
import head_report

FOLDER = REPOSITORY / 'projects/cheap_heads'
RECORD = dict(method='AugLocalHead', num_classes=10, epoch=3, config_hash='a' * 64, sha256='b' * 64)
RESULTS = json.loads((FOLDER / 'results/costs.json').read_text())


def relative(network: str, name: str, key: str, to: str = 'BP') -> float:
    return RESULTS[network][name][key] / RESULTS[network][to][key]


@pytest.mark.parametrize(('network', 'published'), [('ResNet-34, 64 px', 'd=5'), ('ResNet-34, 224 px', 'd=5')])
def test_layerwise_training_costs_at_most_twice_of_bp_and_no_more_memory(network, published):
    assert relative(network, published, 'multiply_adds') == pytest.approx(4.18, abs=0.01)  # as counted before
    for name in ('pooled', 'half width', 'pooled, half width'):
        assert relative(network, name, 'multiply_adds') <= 2.0
        assert relative(network, name, 'activations', published) <= 1.0
        assert relative(network, name, 'auxiliary_parameters', published) <= 1.0


def test_resnet32_costs_at_most_60_percent():
    for name in ('pooled', 'half width', 'pooled, half width', 'in turn'):
        assert relative('ResNet-32, 32 px', name, 'multiply_adds', 'd=4') <= 0.6


def test_costs_are_those_of_real_steps(tiny_config):
    """Of two steps where modules are trained in turn."""
    settings = {'model.image_size': 32, 'model.auxiliary_heads.pooling': 2}
    config = tiny_config(custom_hooks=[dict(type='AugLocalHook', update_every=2)], **settings)
    init_default_scope('auglocal_mm')
    cost = head_costs.step_cost(config)
    model = MODELS.build(config.model)
    images, labels = torch.randn(2, 3, 32, 32), torch.tensor([0, 1])
    flops, peaks = 0, []
    for iteration in range(2):
        for counter in (FlopCounterMode(display=False), ActivationMeter()):
            with counter:
                if isinstance(counter, ActivationMeter):
                    counter.follow(images)
                local_step(
                    model.local_modules(),
                    images,
                    labels,
                    lambda _, loss: loss.backward(),
                    is_due=lambda index, now=iteration: in_turn(index, now, 2),
                )
                model.zero_grad()
            if isinstance(counter, ActivationMeter):
                peaks.append(counter.peak)
            else:
                flops += counter.get_total_flops()
    assert cost.multiply_adds == flops / 2 / 2 / 2, 'iterations, operations, images'
    assert cost.activations == pytest.approx(max(peaks) / 2, rel=0.05)
    auxiliary = sum(parameter.numel() for parameter in model.auxiliary_heads.parameters())
    assert cost.auxiliary_parameters == auxiliary
    assert cost.parameters == sum(parameter.numel() for parameter in model.parameters()) - auxiliary


def test_every_training_has_a_cost_and_both_studies_have_the_same_heads():
    found = []
    for name, network in head_report.STUDIES.items():
        study = read_study(FOLDER / f'{name}.py')
        columns = {run.column: run for run in study.runs}
        assert set(columns) == set(RESULTS[network])
        keys = ('model.auxiliary_heads.pooling', 'model.auxiliary_heads.width', 'model.auxiliary_heads.batch_share')
        heads = {
            column: [run.options.get(key) for key in (*keys, 'custom_hooks')]
            for column, run in columns.items()
            if not column.startswith('d=')
        }
        found.append(heads)
    assert found[0] == found[1]
    assert set(RESULTS) == set(head_costs.NETWORKS)
    assert 'd=4' in RESULTS['ResNet-101, 224 px']


def test_the_readme_has_the_costs_of_the_results():
    readme = (FOLDER / 'README.md').read_text()
    for name in RESULTS['ResNet-34, 64 px'].keys() - {'BP', 'd=5'}:
        cells = [
            f'{relative(network, name, "multiply_adds"):.2f}x, {relative(network, name, "activations"):.2f}x, '
            f'{RESULTS[network][name]["auxiliary_parameters"] / 1e6:.1f}'
            for network in RESULTS
        ]
        assert f'| {name} | {" | ".join(cells)} |' in readme


def test_the_readme_has_the_plans_of_the_results():
    readme, plans = (FOLDER / 'README.md').read_text(), json.loads((FOLDER / 'results/plans.json').read_text())
    shown = [(network, share) for network in plans for share in ('0.4', '0.3', '0.2')]
    shown.remove(('ResNet-34', '0.2'))  # none has as little
    for name in plans['ResNet-34']:
        cells = [head_plans.describe(plans[network][name][share]) for network, share in shown]
        assert f'| {name} | {" | ".join(cells)} |' in readme


def test_plans_have_the_heads_that_were_asked_for(monkeypatch):
    """The cheaper heads are, the more modules there are and the less is computed; BP has one."""

    def narrow(depth: int, heads: dict) -> Config:
        config = load(depth, heads)
        config.merge_from_dict({'model.backbone.base_channels': 8, 'model.image_size': 64, 'model.head.num_classes': 3})
        return config

    load = head_plans.load
    monkeypatch.setattr(head_plans, 'load', narrow)
    monkeypatch.setattr(schemes, 'DEPTHS', (2,))
    init_default_scope('auglocal_mm')
    (bp,) = head_plans.plans(18, {}, (0.55,), 1).values()
    (cheap,) = head_plans.plans(18, dict(pooling=2, width=0.5), (0.55,)).values()
    assert bp['modules'] == 1 < cheap['modules']
    assert cheap['compute'] < 1.05 < bp['compute']
    assert max(bp['activations'], cheap['activations']) <= 0.55
    assert head_plans.plans(18, {}, (0.01,)) == {'0.01': None}
    rows = {'BP': {'0.55': bp, '0.01': None}}
    assert f'| BP | K=1: {bp["activations"]:.2f}x, {bp["compute"]:.2f}x | none |' in head_plans.table(rows)


def test_the_config_of_a_larger_network_is_that_of_its_size():
    init_default_scope('auglocal_mm')
    configs = head_costs.configs_of('ResNet-101, 224 px')
    pooled = configs['pooled'].model
    assert (pooled.backbone.depth, pooled.image_size, pooled.head.num_classes) == (101, 224, 1000)
    assert (pooled.auxiliary_heads.depth, pooled.auxiliary_heads.pooling) == (4, 2)
    assert pooled.checkpointed == [dict(norms='stem')]
    assert not configs['BP'].model.get('checkpointed')


def test_accuracy_stands_beside_compute(tmp_path, capsys):
    (tmp_path / 'costs.json').write_text(json.dumps(RESULTS))
    study = read_study(FOLDER / 'cifar10.py')
    tops = {('3 epochs', 'BP'): [62.0], ('3 epochs', 'pooled'): [58.0, 60.0], ('8 epochs', 'd=4'): [70.0]}
    names = {(run.row, run.column): run.name for run in study.runs}
    records = {
        names[cell]: {str(seed): {**RECORD, 'accuracy': {'accuracy/top1': top}} for seed, top in enumerate(found)}
        for cell, found in tops.items()
    }
    records[names['8 epochs', 'd=4']]['0']['overrides'] = {'train_cfg.max_epochs': 7}
    (tmp_path / 'cifar10.json').write_text(json.dumps(records))
    head_report.main(['--results', str(tmp_path)])
    printed = capsys.readouterr().out
    compute = relative('ResNet-32, 32 px', 'pooled', 'multiply_adds')
    assert f'| 3 epochs | pooled | 59.00 ± 1.41 (n=2) | {compute:.2f}x |' in printed
    assert '| 8 epochs | d=4 | 70.00 † |' in printed and 'train_cfg.max_epochs=7' in printed
    assert '| 6 epochs | pooled | not run |' in printed
    assert (tmp_path / 'accuracy.png').stat().st_size > 5000
    figure = head_report.plot(json.loads((tmp_path / 'accuracy.json').read_text()))
    drawn = {axes.get_title(): [text.get_text() for text in axes.texts] for axes in figure.axes}
    assert list(drawn.values()) == [['BP', 'pooled'], ['d=4']]


def test_costs_that_are_missing_or_were_changed_by_hand_are_refused(tmp_path, capsys):
    for text, named in (('', ()), ('{"ResNet-34": {"BP": {"multiply_adds": "many"}}}', ('BP.multiply_adds', "'many'"))):
        if text:
            (tmp_path / 'costs.json').write_text(text)
        with pytest.raises(SystemExit):
            head_report.main(['--results', str(tmp_path)])
        said = capsys.readouterr().err
        assert all(word in said for word in (f'{tmp_path}/costs.json', *named))
