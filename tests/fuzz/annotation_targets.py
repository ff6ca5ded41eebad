"""COCO's annotations, as a detector is taught and judged by them."""

import json
from pathlib import Path
from typing import Any

from fuzz.formats import is_coco
from fuzz.json_mutations import json_mutators
from fuzz.mutations import BYTES
from fuzz.oracle import TAUGHT
from fuzz.targets import Sample, Target, by_content, digest, tool
from fuzz.world import NAMES, SIZE, image_name

UNORDERED = ('images', 'annotations', 'categories')
"""These lists mean the same in any order."""


def _file(split: str) -> Any:
    def samples(world: Path) -> list[Sample]:
        name = f'instances_{split}2017.json'
        content = (world / 'coco/annotations' / name).read_bytes()
        is_right = is_coco({image_name(i): SIZE for i in range(4)}, NAMES)
        return [Sample(name, content, (*json_mutators(unordered=UNORDERED), *BYTES), by_content(is_right))]

    return samples


def _place(world: Path, name: str, content: bytes) -> list[str]:
    """Puts the file beside untouched ones; the options that name their folder."""
    Path('annotations').mkdir()
    for path in (world / 'coco/annotations').iterdir():
        Path('annotations', path.name).write_bytes(path.read_bytes())
    Path('annotations', name).write_bytes(content)
    options = [f'val_evaluator.ann_file={Path.cwd()}/annotations/instances_val2017.json']
    for loader, split in (('train_dataloader', 'train'), ('val_dataloader', 'val')):
        options.append(f'{loader}.dataset.ann_file={Path.cwd()}/annotations/instances_{split}2017.json')
    return [*options, *(option.replace('val_', 'test_', 1) for option in options if option.startswith('val_'))]


def teach(world: Path, name: str, content: bytes) -> Any:
    """What each image was taught as, and the AP after it."""
    options = _place(world, name, content)
    tool('tools/train.py').main([str(world / 'detector.py'), '--work-dir', 'run', '--cfg-options', *options])
    (log,) = Path('run').glob('*/vis_data/scalars.json')
    return digest([sorted(Path(TAUGHT).read_text().splitlines()), _average_precision(log)])


def test(world: Path, name: str, content: bytes) -> Any:
    """The AP of an untouched detector."""
    options = _place(world, name, content)
    weights = str(world / 'oracle/epoch_1.pth')
    tool('tools/test.py').main([str(world / 'detector.py'), weights, '--work-dir', 'run', '--cfg-options', *options])
    (record,) = Path('run').glob('*/*.json')
    return digest(_average_precision(record))


def _average_precision(log: Path) -> dict[str, float]:
    record = json.loads(log.read_text().splitlines()[-1])
    return {key: value for key, value in record.items() if key.startswith('coco/')}


TARGETS = (
    Target('annotations-taught', _file('train'), teach, share=0.5, short=1, may_tell=True),
    Target('annotations-judged', _file('val'), teach, share=0.25, short=1, may_tell=True),
    Target('annotations-tested', _file('val'), test, share=0.25, short=1, may_tell=True),
)
