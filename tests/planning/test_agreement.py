"""Plans predict the memory and compute of real training steps."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tests_models import classifier, head_sizes
from tests_support import REPOSITORY
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.local.step import local_step
from auglocal_mm.models import ImageClassifier
from auglocal_mm.planning.costs.activation_meter import ActivationMeter
from auglocal_mm.planning.costs.network_cost import measure_network
from auglocal_mm.planning.costs.other_heads import with_heads
from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.search.modules import modules_from
from auglocal_mm.planning.search.plans import backpropagation, cheapest_plan
from auglocal_mm.planning.training_config import to_config
from auglocal_mm.registry import MODELS

SIZE, IMAGES = 64, 2
CUT = ((0, 2), (3, 5), (6, 8))
"""First and last layers of three modules of ResNet-18."""

pytestmark = pytest.mark.usefixtures('costs_measured_once', 'repeated_weights')


def resnet(depth: int, **settings) -> dict:
    return dict(type='mmdet.ResNet', depth=depth, out_indices=(3,), norm_eval=False, frozen_stages=-1, **settings)


def real_step(backbone: dict, plan: Plan, names, amp: bool = False, **keep) -> tuple[float, float]:
    """Bytes and FLOPs of one image in a real step."""
    settings = to_config(plan, names, {}, keep)['model']
    heads = settings.pop('auxiliary_heads', None)
    return measured(classifier(backbone, heads, image_size=SIZE, **settings).train(), amp)


def measured(model: ImageClassifier, amp: bool = False) -> tuple[float, float]:
    images, labels = torch.randn(IMAGES, 3, SIZE, SIZE), torch.zeros(IMAGES, dtype=torch.long)

    def update(index: int, loss: torch.Tensor) -> None:
        loss.backward()
        model.zero_grad(set_to_none=True)

    with ActivationMeter() as meter:
        meter.follow(images)
        autocast = torch.autocast('cpu', torch.bfloat16, enabled=amp)
        local_step(model.local_modules(), images, labels, update, lambda _: autocast)
    with FlopCounterMode(display=False) as counter:  # separately: it stores tensors of its own
        local_step(model.local_modules(), images, labels, update)
    return meter.peak / IMAGES, counter.get_total_flops() / IMAGES


@pytest.mark.parametrize('depth', [18, 34, 50, 101])
def test_memory_within_five_percent_and_flops_exactly(depth):
    model = classifier(resnet(depth), image_size=SIZE)
    costs = measure_network(model, SIZE, [2, 3])
    reference = backpropagation(costs)
    shares = (1.0, 0.45, 0.36) if depth < 101 else (0.55, 0.3)
    for share in shares:
        plan = cheapest_plan(costs, share * reference.activations)
        if plan is None:
            assert depth == 18  # its stem alone takes more
            continue
        held, computed = real_step(resnet(depth), plan, costs.names)
        assert held == pytest.approx(plan.activations, rel=0.05)
        assert computed == plan.compute


@pytest.mark.parametrize('selection', ['sequential', 'repetitive'])
def test_heads_are_those_of_the_config(selection):
    head = dict(type='AugLocalHead', depth=3, selection=selection)
    costs = measure_network(classifier(resnet(18), image_size=SIZE), SIZE, [3], head=head)
    measured = [sum(layer.parameters for layer in costs.heads[index, 3]) for index in range(8)]
    assert measured == head_sizes(classifier(resnet(18), head, image_size=SIZE))


@pytest.mark.parametrize(
    ('depth', 'keys'),
    [(18, dict(pooling=2)), (50, dict(pooling=2, width=0.5)), (34, dict(batch_share=0.5, selection='sequential'))],
    ids=['pooled', 'pooled and narrow', 'part of the batch'],
)
def test_the_same_for_cheaper_heads(depth, keys):
    narrow = resnet(depth, base_channels=16)
    costs = measure_network(classifier(narrow, image_size=SIZE), SIZE, [3], head=keys)
    plan = cheapest_plan(costs, 0.5 * backpropagation(costs).activations)
    assert len(plan.modules) > 1
    held, computed = real_step(narrow, plan, costs.names, **keys)
    assert held == pytest.approx(plan.activations, rel=0.05)
    assert computed == plan.compute


def test_local_modules_with_segments_in_their_heads():
    """A plan with everything in it: split points, depths, segments of layers and of heads."""
    costs = measure_network(classifier(resnet(50), image_size=SIZE), SIZE, [3, 4])
    reference = backpropagation(costs)
    for share in (0.3, 0.28, 0.27, 0.26, 0.25, 0.24, 0.23):
        plan = cheapest_plan(costs, share * reference.activations)
        if plan and len(plan.modules) > 1 and any(module.head_segments for module in plan.modules):
            held, computed = real_step(resnet(50), plan, costs.names)
            assert held == pytest.approx(plan.activations, rel=0.05)
            assert computed == plan.compute
            return
    pytest.fail('no such plan was found')


@pytest.mark.parametrize('kind', ['DGLHead', 'InfoProHead', 'PredSimHead'])
def test_heads_of_other_methods(kind):
    """PredSim compares all images of a batch with each other, which is not proportional to their number."""
    model = classifier(resnet(18), image_size=SIZE)
    costs = with_heads(measure_network(model, SIZE, []), model, SIZE, {'type': kind})
    assert costs.reads_images == (kind == 'InfoProHead')
    modules = [next(each for each in modules_from(costs, a, float('inf'), False) if each.last == b) for a, b in CUT]
    plan = Plan(tuple(modules), kind)
    held, computed = real_step(resnet(18), plan, costs.names)
    assert held == pytest.approx(plan.activations, rel=0.05)
    assert computed == pytest.approx(plan.compute, rel=1e-5 if kind == 'PredSimHead' else 0)


def test_the_same_in_bfloat16(monkeypatch):
    """With enough images for their activations to stand out from autocast's copies of the weights, which exist once."""
    monkeypatch.setitem(globals(), 'IMAGES', 8)
    narrow = resnet(34, base_channels=16)
    costs = measure_network(classifier(narrow, image_size=SIZE), SIZE, [2, 3], amp=True)
    for share in (1.0, 0.6, 0.5):
        plan = cheapest_plan(costs, share * backpropagation(costs).activations)
        held, _ = real_step(narrow, plan, costs.names, amp=True)
        copies = [2 * module.parameters / 8 for module in plan.modules]
        most = max(module.activations + copy for module, copy in zip(plan.modules, copies, strict=True))
        assert held == pytest.approx(most, rel=0.05)


def test_the_stem_of_resnet34_does_not_dominate_memory_in_its_config():
    init_default_scope('auglocal_mm')
    config = Config.fromfile(REPOSITORY / 'configs/auglocal/resnet34_auglocal-d5_1xb256-200e_in1k.py').model
    config.update(image_size=SIZE, data_preprocessor=None)
    config.backbone.base_channels = 8
    ours, ours_computed = measured(MODELS.build(config).train())
    config.checkpointed = []
    plain, computed = measured(MODELS.build(config).train())
    assert ours < 0.8 * plain
    assert ours_computed == computed
