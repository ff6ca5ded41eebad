"""Every way from a file to weights: it gives the file's weights, and runs nothing that is in the file."""

import http.server
import os
import re
import threading
from collections import OrderedDict

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from tests_support import call, write
from torch import nn

import auglocal_mm.engine  # noqa: F401  (takes the place of MMEngine's own loader)
from auglocal_mm.analysis.isolation import check_run
from auglocal_mm.errors import InputError
from auglocal_mm.settings.config_file import read_config_file


class Part(BaseModule):
    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.layer = nn.Linear(2, 2)


class Detector(BaseModule):
    def __init__(self, init_cfg=None, backbone=None, neck=None):
        super().__init__(init_cfg)
        self.backbone, self.neck = Part(backbone), Part(neck)


WEIGHT = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
WHOLE = {
    f'{part}.layer.{name}': sign * (WEIGHT if name == 'weight' else WEIGHT[0])
    for part, sign in (('backbone', 1), ('neck', -1))
    for name in ('weight', 'bias')
}


def ways(path):
    pretrained = dict(type='Pretrained', checkpoint=str(path))
    normal = dict(type='Normal', layer='Linear', std=0.1)
    return {
        'model': dict(init_cfg=pretrained),
        'backbone': dict(backbone=pretrained),
        'neck': dict(neck=dict(**pretrained, prefix='neck.')),
        'list': dict(backbone=[pretrained, normal]),
        'scoped': dict(backbone=dict(type='mmengine.Pretrained', checkpoint=str(path))),
    }


@pytest.mark.parametrize('way', list(ways('')))
def test_what_is_reported_is_what_is_loaded(tmp_path, way):
    torch.save({'state_dict': WHOLE, 'meta': {'epoch': 1}}, tmp_path / 'epoch_1.pth')
    detector = Detector(**ways(tmp_path / 'epoch_1.pth')[way])
    detector.init_weights()
    part = detector.neck if way == 'neck' else detector.backbone
    assert torch.equal(part.layer.weight, -WEIGHT if way == 'neck' else WEIGHT)


@pytest.mark.parametrize('way', list(ways('')))
def test_what_does_not_fit_is_refused(tmp_path, way):
    torch.save({name.replace('layer', 'lair'): value for name, value in WHOLE.items()}, tmp_path / 'other.pth')
    with pytest.raises(InputError, match=r'other\.pth.*0 matched'):
        Detector(**ways(tmp_path / 'other.pth')[way]).init_weights()


class MakesFolder:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


class GetsAttribute:
    """Through ``getattr``, which MMEngine counts among the safe functions."""

    def __reduce__(self):
        return getattr, (OrderedDict, 'fromkeys')


REFUSED = r'hostile\.pth.*(mkdir|OrderedDict\.fromkeys)'


@pytest.fixture(params=['call', 'getattr'])
def hostile(request, tmp_path):
    victim = str(tmp_path / 'owned')
    torch.save(
        {'state_dict': {'x': MakesFolder(victim) if request.param == 'call' else GetsAttribute()}},
        tmp_path / 'hostile.pth',
    )
    yield str(tmp_path / 'hostile.pth')
    assert not os.path.exists(victim)


@pytest.mark.parametrize('way', list(ways('')))
def test_a_hostile_file_runs_nothing_while_a_model_starts(hostile, way):
    with pytest.raises(InputError, match=REFUSED):
        Detector(**ways(hostile)[way]).init_weights()


@pytest.mark.parametrize('way', ['train', 'check', 'load_from', 'resume', 'test', 'loader', 'model'])
def test_a_hostile_file_runs_nothing_in_a_run(hostile, tiny_config, way):
    pretrained = {'model.backbone.init_cfg': dict(type='Pretrained', checkpoint=hostile)}
    starts = {'load_from': hostile, 'resume': way == 'resume'}
    config = tiny_config('bp', **(pretrained if way in ('train', 'check') else starts))
    run = {
        'train': lambda: Runner.from_cfg(config).train(),
        'check': lambda: check_run(config),
        'load_from': lambda: Runner.from_cfg(config).train(),
        'resume': lambda: Runner.from_cfg(config).train(),
        'test': lambda: Runner.from_cfg(config).test(),
        'loader': lambda: CheckpointLoader.load_checkpoint(hostile),
        'model': lambda: load_checkpoint(nn.Linear(2, 2), hostile),
    }
    with pytest.raises(InputError, match=REFUSED):
        run[way]()


@pytest.mark.parametrize('way', ['resume', 'load_from', 'init_cfg', 'test'])
def test_a_file_is_read_once(tiny_config, tmp_path, monkeypatch, way):
    Runner.from_cfg(tiny_config('bp', **{'train_cfg.max_epochs': 1})).train()
    path, config = str(tmp_path / 'work_dir' / 'epoch_1.pth'), write(tiny_config('bp'), tmp_path / 'tiny.py')
    pretrained = f"model.backbone.init_cfg=dict(type='Pretrained', checkpoint='{path}')"
    command = {
        'resume': ['tools/train.py', config, '--resume', path],
        'load_from': ['tools/train.py', config, '--cfg-options', f'load_from={path}'],
        'init_cfg': ['tools/train.py', config, '--cfg-options', pretrained],
        'test': ['tools/test.py', config, path],
    }[way]
    load, read = torch.load, []
    monkeypatch.setattr(
        torch, 'load', lambda file, *args, **kwargs: read.append(file.name) or load(file, *args, **kwargs)
    )
    call(*command[:2], '--work-dir', str(tmp_path / 'other'), *command[2:])
    assert [str(name) for name in read] == [path]


def test_the_config_inside_a_checkpoint_is_not_run_at_a_resume(tiny_config, tmp_path):
    Runner.from_cfg(tiny_config('bp', **{'train_cfg.max_epochs': 1})).train()
    path = str(tmp_path / 'work_dir' / 'epoch_1.pth')
    checkpoint = torch.load(path, weights_only=False)
    checkpoint['meta']['config'] = f'import os\nos.mkdir({str(tmp_path / "owned")!r})'
    torch.save(checkpoint, path)
    runner = Runner.from_cfg(tiny_config('bp', load_from=path, resume=True))
    runner.train()
    assert runner.epoch == 2
    assert not (tmp_path / 'owned').exists()


@pytest.mark.parametrize('kind', ['mmengine.Pretrained', 'mmdet.Pretrained', 'class'])
def test_a_config_may_name_the_initializer_in_any_way(tmp_path, kind):
    path = tmp_path / 'config.py'
    given = "__import__('mmengine').model.PretrainedInit" if kind == 'class' else repr(kind)
    path.write_text(f"model = dict(neck=dict(init_cfg=[dict(type={given}, checkpoint='a.pth')]))")
    assert read_config_file(str(path)).model.neck.init_cfg[0].type == 'Pretrained'


@pytest.fixture
def server(tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Quiet) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{served.server_address[1]}'
        served.shutdown()


def test_a_url_gives_what_is_there_now(server, tmp_path):
    for number in (1.0, 2.0):
        torch.save({'state_dict': {'w': torch.tensor(number)}, 'meta': {'epoch': 1}}, tmp_path / 'epoch_1.pth')
        found = CheckpointLoader.load_checkpoint(f'{server}/epoch_1.pth')
        assert found['state_dict']['w'] == number


@pytest.mark.parametrize(
    ('source', 'said'),
    [
        ('{server}/missing.pth', '/missing.pth'),
        ('http://127.0.0.1:9/a.pth', 'http://127.0.0.1:9/a.pth'),
        ('torchvision://resnet3', 'resnet34'),
        ('s3://bucket/a.pth', 's3://bucket/a.pth'),
        ('petrel://bucket/a.pth', 'petrel://bucket/a.pth'),
        ('nowhere.pth', 'nowhere.pth'),
    ],
)
def test_what_cannot_be_fetched_is_named(server, source, said):
    with pytest.raises(InputError) as caught:
        CheckpointLoader.load_checkpoint(source.format(server=server))
    assert said in str(caught.value)


def test_a_hostile_file_is_not_exported(hostile, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        call('tools/model_converters/export_backbone.py', hostile, str(tmp_path / 'out.pth'))
    assert ended.value.code == 1
    assert re.search(REFUSED, capsys.readouterr().err)
    assert not (tmp_path / 'out.pth').exists()
