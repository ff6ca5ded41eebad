"""Records that pages are made of: those of a pretraining, and of detectors that are compared."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

from tests_coco import SIZES, detect, scenes, write_scenes

from auglocal_mm.pretraining_report.training_facts import NOT_EXPORTED, NOT_FINISHED, OTHER_RECORD
from auglocal_mm.transfer.evaluation_record import EvaluationRecord, Evaluations, write_evaluations
from auglocal_mm.transfer.recorded_matches import write_matches
from fuzz.formats import Description, is_evaluations, is_log, is_of, is_plain_config, json_value
from fuzz.json_mutations import json_mutators
from fuzz.mutations import BYTES
from fuzz.record_targets import validation
from fuzz.source_mutations import SOURCE
from fuzz.targets import Sample, Target, by_content, tool

JSON, LOG = (*json_mutators(), *BYTES), (*json_mutators(lines=True), *BYTES)
NOTES = (
    *(NOT_EXPORTED, NOT_FINISHED, OTHER_RECORD),
    *('There are no photographs', 'There is no curve', 'There are no intervals', 'There is no top-1 accuracy'),
)
"""What a page says where a record is left out."""
LOGGED = '20250101_000000/vis_data/scalars.json'


def make_compared(root: Path) -> None:
    """Work_dirs of two detectors, with photographs, recorded evaluations and logs."""
    for name, shift in (('control', 0), ('other', 3)):
        folder = root / name
        folder.joinpath(LOGGED).parent.mkdir(parents=True)
        folder.joinpath(LOGGED).write_text(
            ''.join(f'{json.dumps(validation(step, 0.125 * step))}\n' for step in (1, 2))
        )
        metric = detect(write_scenes(folder, scenes()), classwise=False)
        for _, found in metric.results:
            found['bboxes'] += shift
        metrics = dict(metric.evaluate(len(SIZES)))
        paths = {'data_root': name, 'ann_file': 'annotations.json', 'data_prefix': {'img': 'images/'}}
        record = dict(training=None, epoch=2, iteration=100, checkpoint=None, num_images=len(SIZES), metrics=metrics)
        record |= {'class_ap': metric.class_ap, 'matches': write_matches(folder, metric.matches)}
        evaluation = EvaluationRecord(**record, settings={'val_dataloader': {'dataset': paths}})
        write_evaluations(folder, Evaluations(validation=evaluation, test=None))


def pretraining(world: Path) -> list[Sample]:
    folder = world / 'trained'
    (log,), (config,) = (folder.glob(f'*/vis_data/{name}') for name in ('scalars.json', 'config.py'))
    record = (folder / 'backbone.json').read_bytes()
    local = log.read_bytes().replace(b'"loss":', b'"local/stem/loss": 2.5, "loss":')
    return [
        Sample('backbone.json', record, JSON, by_content(_describes_as(record))),
        Sample('scalars.json', local, LOG, by_content(is_log)),
        Sample('config.py', config.read_bytes(), (*SOURCE, *BYTES), by_content(is_plain_config)),
        Sample('evaluation.json', (folder / 'evaluation.json').read_bytes(), JSON),
    ]


def _describes_as(clean: bytes) -> Callable[[bytes], bool]:
    """Whether a file describes the same weights, whatever else it says of them."""

    def is_right(content: bytes) -> bool:
        try:
            found = {'epoch': None, **json_value(content)}  # without it, the page is by iterations
        except (ValueError, TypeError):
            return False
        same = all(found.get(key) == json_value(clean)[key] for key in ('sha256', 'config_hash'))
        return same and is_of(Description)(json.dumps(found).encode())

    return is_right


def compared(world: Path) -> list[Sample]:
    folder = world / 'compared/other'
    return [
        Sample('evaluation.json', (folder / 'evaluation.json').read_bytes(), JSON, by_content(is_evaluations)),
        Sample('scalars.json', (folder / LOGGED).read_bytes(), LOG, by_content(is_log)),
        Sample('annotations.json', (world / 'compared/control/annotations.json').read_bytes(), JSON),
    ]


def report(world: Path, name: str, content: bytes) -> Any:
    """The page of a pretraining."""
    run = copytree(world / 'trained', 'run')
    (logs,) = Path(run).glob('*/vis_data')
    for each in pretraining(world):
        if each.name in ('scalars.json', name):
            folder = Path(run) if (Path(run) / each.name).exists() else logs
            (folder / each.name).write_bytes(content if each.name == name else each.content)
    tool('tools/analysis_tools/report_pretraining.py').main(['run', '--out', 'page.html'])
    return _seen(Path('page.html'))


def compare(world: Path, name: str, content: bytes) -> Any:
    """The page of a comparison."""
    for each in ('control', 'other'):
        copytree(world / 'compared' / each, each)
    places = {'scalars.json': f'other/{LOGGED}', 'annotations.json': f'control/{name}'}
    Path(places.get(name, f'other/{name}')).write_bytes(content)
    arguments = ['BP=control', 'AugLocal=other', '--html', '--bootstrap', '9', '--out', 'report']
    tool('tools/analysis_tools/compare_transfer.py').main(arguments)
    return _seen(Path('report/comparison.html'))


def _seen(page: Path) -> dict[str, Any]:
    """What a reader sees; what is said to be left out is a warning."""
    html = re.sub(r'<svg[^>]* aria-label="([^"]*)".*?</svg>', r'\1', page.read_text(), flags=re.DOTALL)
    text = ' '.join(re.sub('<style.*?</style>|<[^>]*>', ' ', html, flags=re.DOTALL).split())
    for note in NOTES:
        if note.replace('`', '') in text:
            print(f'WARNING: {note}')
    # Sorted and without commas, as a record whose keys are in another order is the same.
    return {'words': sorted(text.replace(',', ' ').split()), 'photographs': html.count('<img')}


TARGETS = (
    Target('page-pretraining', pretraining, report, short=4, may_tell=True),
    Target('page-comparison', compared, compare, short=3, may_tell=True),
)
