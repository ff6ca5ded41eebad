"""Checkpoints, read by the tools that export, test, start from and resume from them, and what names the last one."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from auglocal_mm.backbones.cifar_resnet import CIFARResNet
from fuzz.archive_mutations import ARCHIVE
from fuzz.formats import is_safetensors_as
from fuzz.json_mutations import json_mutators
from fuzz.mutations import BYTES, Mutant
from fuzz.pickle_mutations import PICKLE
from fuzz.pointer_mutations import POINTER
from fuzz.safetensors_mutations import SAFETENSORS
from fuzz.targets import Sample, Target, by_content, digest, tool
from fuzz.tensor_mutations import TENSORS, load

CHECKPOINT = (*ARCHIVE, *PICKLE, *TENSORS)

PRECISION = {'half', 'bfloat16'}
NO_CHECKSUM = {'legacy_damaged', 'swap_entries', 'pickle_bytes'}
"""Nothing in the file tells that a number in it is another."""
OTHER_NETWORK = {'missing', 'rename_one', 'shape', 'flat', 'no_numbers', 'more', 'legacy_damaged'}
"""Only who knows the network can tell that this is none."""


def _unless(*allowed: set[str]) -> Any:
    names = set().union(*allowed)
    return lambda mutant: mutant.name in names


def _is_described(mutant: Mutant) -> bool:
    """Whether an export may differ without a word: also where what describes the weights is left out."""
    return mutant.name in PRECISION | NO_CHECKSUM | OTHER_NETWORK


def trained(world: Path) -> list[Sample]:
    content = (world / 'trained' / 'epoch_1.pth').read_bytes()
    return [Sample('epoch_1.pth', content, (*BYTES, *CHECKPOINT), _is_described)]


def known_network(world: Path) -> list[Sample]:
    content = (world / 'trained' / 'epoch_1.pth').read_bytes()
    return [Sample('epoch_1.pth', content, (*CHECKPOINT, *BYTES), _unless(PRECISION, NO_CHECKSUM))]


def exported(world: Path) -> list[Sample]:
    content = (world / 'trained' / 'backbone.pth').read_bytes()
    # The description beside it has its checksum, so that a change is told, but a user may have made the file otherwise.
    return [Sample('backbone.pth', content, (*CHECKPOINT, *BYTES), _unless(PRECISION, NO_CHECKSUM))]


def foreign(world: Path) -> list[Sample]:
    """A CIFARResNet-32 of another program, in both formats."""
    torch.manual_seed(0)
    weights = CIFARResNet(32).state_dict()
    changes = _unless(PRECISION, NO_CHECKSUM)
    file = BytesIO()
    torch.save({'state_dict': {f'module.{name}': value for name, value in weights.items()}, 'epoch': 90}, file)
    in_safetensors = save(weights)
    return [
        Sample('checkpoint.pth.tar', file.getvalue(), (*CHECKPOINT, *BYTES), changes),
        Sample('model.safetensors', in_safetensors, SAFETENSORS, by_content(is_safetensors_as(in_safetensors))),
    ]


def safetensors(world: Path) -> list[Sample]:
    content = save(torch.load(world / 'trained' / 'backbone.pth', weights_only=True))
    # The format has no checksums: other numbers are as good as these.
    return [Sample('backbone.safetensors', content, SAFETENSORS, by_content(is_safetensors_as(content)))]


def both_kinds(world: Path) -> list[Sample]:
    return [*exported(world), *safetensors(world)]


def pointers(world: Path) -> list[Sample]:
    content = str(world / 'trained' / 'epoch_1.pth').encode()
    return [Sample('last_checkpoint', content, (*POINTER, *BYTES), _unless({'none_yet'}))]


def described(world: Path) -> list[Sample]:
    content = (world / 'trained' / 'backbone.json').read_bytes()
    return [Sample('backbone.json', content, (*json_mutators(), *BYTES))]


def export(world: Path, name: str, content: bytes) -> Any:
    Path(name).write_bytes(content)
    tool('tools/model_converters/export_backbone.py').main([name, 'out.pth'])
    description = json.loads(Path('out.json').read_text())
    del description['sha256']
    return [_weights('out.pth'), description]


def import_(world: Path, name: str, content: bytes) -> Any:
    """The backbone that is found in a file of another program."""
    Path(name).write_bytes(content)
    tool('tools/model_converters/import_backbone.py').main([name, 'out.pth'])
    return _computed(torch.load('out.pth', weights_only=True))


def evaluate(world: Path, name: str, content: bytes) -> Any:
    """The scores of all images."""
    Path(name).write_bytes(content)
    tool('tools/test.py').main([str(world / 'train.py'), name, '--work-dir', 'test'])
    (record,) = Path('test').glob('*/*.json')
    return {key: repr(value) for key, value in json.loads(record.read_text()).items() if 'time' not in key}


def start(world: Path, name: str, content: bytes) -> Any:
    """The backbone that a training without steps writes."""
    weights = 'backbone.safetensors' if name.endswith('.safetensors') else 'backbone.pth'
    for each in ('backbone.pth', 'backbone.json'):
        Path(each).write_bytes((world / 'trained' / each).read_bytes())
    if name == weights:
        Path('backbone.json').unlink()
    Path(name).write_bytes(content)
    tool('tools/train.py').main([str(world / 'start.py'), '--work-dir', 'run', '--cfg-options', *_init_cfg(weights)])
    return _computed(torch.load('run/backbone.pth', weights_only=True))


def teach(world: Path, name: str, content: bytes) -> Any:
    """The backbone of a detector whose training does not touch it."""
    Path(name).write_bytes(content)
    backbone = [f'model.backbone.{key}' for key in ('type=ResNet', 'depth=18', 'base_channels=8')]
    options = ['--cfg-options', *backbone, *_init_cfg(name)]
    tool('tools/train.py').main([str(world / 'detector.py'), '--work-dir', 'run', *options])
    return _computed(load(Path('run/epoch_1.pth').read_bytes())['state_dict'])


def _init_cfg(path: str) -> list[str]:
    return ['model.backbone.init_cfg.type=Pretrained', f'model.backbone.init_cfg.checkpoint={path}']


def resume(world: Path, name: str, content: bytes) -> Any:
    """The weights after the second epoch."""
    Path(name).write_bytes(content)
    tool('tools/train.py').main([str(world / 'train.py'), '--work-dir', 'run', '--resume', name])
    return _weights('run/backbone.pth')


def go_on(world: Path, name: str, content: bytes) -> Any:
    """The weights after the second epoch, in a work_dir that was moved."""
    Path('run').mkdir()
    Path('run', name).write_bytes(content)
    Path('run/epoch_1.pth').write_bytes((world / 'trained' / 'epoch_1.pth').read_bytes())
    tool('tools/train.py').main([str(world / 'train.py'), '--work-dir', 'run', '--resume'])
    return _weights('run/backbone.pth')


def _computed(state: dict[str, Any]) -> Any:
    """Without counts of batches, which no network computes with and which may be missing."""
    return digest({name: value for name, value in state.items() if not name.endswith('num_batches_tracked')})


def _weights(path: str) -> Any:
    return digest(torch.load(path, weights_only=True))


TARGETS = (
    Target('checkpoint-exported', trained, export, share=0.5),
    Target('checkpoint-imported', foreign, import_, share=0.5),
    Target('checkpoint-tested', known_network, evaluate, share=0.25, short=1),
    Target('checkpoint-started', exported, start, share=0.25, short=1),
    Target('checkpoint-resumed', known_network, resume, share=0.25, short=1),
    Target('checkpoint-taught', both_kinds, teach, share=0.25, short=2),
    Target('safetensors-started', safetensors, start, share=0.5, short=1),
    Target('pointer-resumed', pointers, go_on, share=0.5, short=1),
    Target('description-started', described, start, share=0.25, short=1),
)
