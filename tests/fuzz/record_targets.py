"""Records of runs: descriptions of backbones, logs, dumped configs and results of studies, read by what compares them."""

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from tests_matches import evaluated, random_scene, statistics

from auglocal_mm.evaluation.matches import collect_matches
from auglocal_mm.evaluation.matches_file import from_bytes, to_bytes
from auglocal_mm.transfer.evaluation_record import EvaluationRecord, Evaluations, write_evaluations
from auglocal_mm.transfer.recorded_matches import write_matches
from fuzz.formats import Description, Results, is_log, is_of, is_plain_config, is_test_record
from fuzz.json_mutations import json_mutators
from fuzz.mutations import BYTES
from fuzz.source_mutations import SOURCE
from fuzz.targets import Sample, Target, by_content, digest, tool

ITEMS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
CONFIG = """\
load_from = None
model = dict(
    backbone=dict(
        depth=34,
        init_cfg=dict(checkpoint='backbone.pth', prefix='backbone.', type='Pretrained'),
        type='ResNet'),
    type='MaskRCNN')
optim_wrapper = dict(optimizer=dict(lr=0.02, type='SGD'), type='OptimWrapper')
randomness = dict(seed=0)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(scale=(1333, 800), type='Resize'),
]
work_dir = 'work_dirs/mask-rcnn'
"""
STUDY = """\
title = 'Two cells'
bp = 'configs/bp/resnet34_bp_1xb256-200e_in1k.py'
runs = [
    dict(row='r', column='BP', config=bp, options={'train_cfg.max_epochs': 3}, paper={'accuracy/top1': 12.3}),
    dict(row='r', column='d=3', config=bp),
]
"""
RESULTS = {
    'r-bp': {
        '0': {'method': 'bp', 'accuracy': {'accuracy/top1': 71.25}, 'epoch': 3, 'options': {'train_cfg.max_epochs': 3}},
        '1': {'accuracy': {'accuracy/top1': 72.5, 'accuracy/top5': 90.0}, 'overrides': {}, 'machine': {'cpus': 2}},
    },
    'r-d=3': {
        '0': {'accuracy': {'accuracy/top1': 70.125}, 'overrides': {'train_cfg.max_iters': 7}, 'config_hash': None}
    },
}


def validation(step: int, ap: float) -> dict[str, Any]:
    """One record of a validation, as MMEngine logs it."""
    aps = {f'coco/{kind}_{item}': ap for kind in ('bbox', 'segm') for item in ITEMS}
    return {**aps, 'coco/segm_mAP_s': -1, 'data_time': 0.1, 'time': 0.2, 'step': step}


def training(step: int) -> dict[str, Any]:
    return {'lr': 0.02, 'data_time': 0.1, 'loss': 1.5 - 0.1 * step, 'epoch': step, 'iter': 50 * step, 'step': 50 * step}


def _lines(records: list[dict[str, Any]]) -> bytes:
    return ''.join(json.dumps(record) + '\n' for record in records).encode()


def evaluations(world: Path) -> list[Sample]:
    records = [record for i in (1, 2, 3) for record in (training(i), validation(i, 0.25 + 0.125 * i))]
    tested = {key: value for key, value in validation(0, 0.375).items() if key != 'step'}
    return [
        Sample('scalars.json', _lines(records), (*json_mutators(lines=True), *BYTES), by_content(is_log)),
        Sample(
            'test.json', json.dumps(tested).encode(), (*json_mutators(lines=True), *BYTES), by_content(is_test_record)
        ),
    ]


def recorded_matches(world: Path) -> list[Sample]:
    evaluation, _ = _evaluated()
    return [Sample('matches.npz', to_bytes({'bbox': collect_matches(evaluation)}), BYTES)]


def _evaluated() -> tuple[Any, float]:
    """A detector on a scene, and its AP."""
    evaluation = evaluated(*random_scene(0), 'bbox')
    return evaluation, float(statistics(evaluation)[0])


def descriptions(world: Path) -> list[Sample]:
    content = (world / 'trained' / 'backbone.json').read_bytes()
    named = by_content(is_of(Description))
    return [Sample(name, content, (*json_mutators(), *BYTES), named) for name in ('pretraining.json', 'backbone.json')]


def dumped_configs(world: Path) -> list[Sample]:
    return [
        Sample(name, CONFIG.encode(), (*SOURCE, *BYTES), by_content(is_plain_config))
        for name in ('config.py', 'own.py')
    ]


def results(world: Path) -> list[Sample]:
    content = json.dumps(RESULTS).encode()
    return [Sample('study.json', content, (*json_mutators(), *BYTES), by_content(is_of(Results)))]


def curves(world: Path) -> list[Sample]:
    (log,) = (world / 'trained').glob('*/vis_data/scalars.json')
    return [Sample('scalars.json', log.read_bytes(), (*json_mutators(lines=True), *BYTES), by_content(is_log))]


def report(path: str, *arguments: str) -> None:
    """Runs a tool without its figures, which take longest; nobody goes on in this process."""
    Figure.savefig = lambda figure, file, **options: Path(file).write_bytes(b'')
    tool(path).main(arguments)


def compare(world: Path, name: str, content: bytes) -> Any:
    """What a comparison with an untouched work_dir says."""
    for run in ('control', 'other'):
        data = Path(run, '20250101_000000', 'vis_data')
        data.mkdir(parents=True)
        (data / 'config.py').write_text(CONFIG)
        (data / 'scalars.json').write_bytes(_lines([validation(1, 0.5)]))
        Path(run, 'mask-rcnn.py').write_text(CONFIG)
    data, description = Path('other', '20250101_000000', 'vis_data'), (world / 'trained/backbone.json').read_bytes()
    places = {
        'scalars.json': data / name,
        'test.json': data.parent / '20250101_000000.json',
        'config.py': data / name,
        'own.py': Path('other', 'mask-rcnn.py'),
        'pretraining.json': Path('other', name),
        'backbone.json': Path(name),
    }
    if name == 'test.json':
        (data / 'scalars.json').unlink()
    if name == 'own.py':
        (data / 'config.py').unlink()
    if name != 'backbone.json':
        Path('other', 'pretraining.json').write_bytes(description)
    places[name].write_bytes(content)
    report('tools/analysis_tools/compare_transfer.py', 'BP=control', 'AugLocal=other', '--out', 'report')
    written = json.loads(Path('report/comparison.json').read_text())
    entry = written['names']['AugLocal']
    (run,) = entry['runs']
    pretraining = {key: run['pretraining']['record'].get(key) for key in ('method', 'accuracy')}
    # A config that is no plain one is said to be compared as text, without what it names.
    known = [] if name.endswith('.py') else [pretraining]
    return digest([entry['metrics'], entry['difference_to_control'], run['epoch'], *known])


def compare_matches(world: Path, name: str, content: bytes) -> Any:
    """The intervals of a comparison with an untouched work_dir."""
    (clean,), (_, found) = recorded_matches(world), _evaluated()
    for run in ('control', 'other'):
        Path(run).mkdir()
        record = dict(
            training=None, epoch=1, iteration=1, checkpoint=None, settings={}, metrics={'coco/bbox_mAP': found}
        )
        matches = write_matches(Path(run), from_bytes(clean.content))
        record = EvaluationRecord.model_validate({**record, 'matches': matches})
        write_evaluations(run, Evaluations(validation=record, test=None))
    Path('other', matches.file).write_bytes(content)
    arguments = ('BP=control', 'AugLocal=other', '--out', 'report', '--bootstrap', '9')
    report('tools/analysis_tools/compare_transfer.py', *arguments)
    return digest(json.loads(Path('report/comparison.json').read_text())['names']['AugLocal']['intervals'])


def table(world: Path, name: str, content: bytes) -> Any:
    """The table of a study."""
    Path('study.py').write_text(STUDY)
    Path(name).write_bytes(content)
    report('projects/paper_tables/make_tables.py', 'study.py', '--results', '.')
    return digest([Path('study_table.md').read_text(), json.loads(Path('study_table.json').read_text())])


def listing(world: Path, name: str, content: bytes) -> Any:
    """Which runs a study says are done."""
    Path('study.py').write_text(STUDY)
    Path(name).write_bytes(content)
    start = Path('output.txt').stat().st_size
    report('projects/paper_tables/run_study.py', 'study.py', '--list', '--results', name)
    return [line for line in Path('output.txt').read_text()[start:].splitlines() if line.startswith('r-')]


def draw(world: Path, name: str, content: bytes) -> Any:
    """The points of all curves."""
    data = Path('run', '20250101_000000', 'vis_data')
    data.mkdir(parents=True)
    (data / name).write_bytes(content)
    report('tools/analysis_tools/plot_curves.py', 'BP=run', '--out', 'report')
    return digest(json.loads(Path('report/curves.json').read_text()))


TARGETS = (
    Target('evaluation', evaluations, compare, short=2),
    Target('matches', recorded_matches, compare_matches, share=0.5, short=2),
    Target('description', descriptions, compare, share=0.75, short=2),
    Target('config-of-a-run', dumped_configs, compare, share=0.5, short=2),
    Target('results', results, table, share=0.75),
    Target('results-listed', results, listing, share=0.25),
    Target('curves', curves, draw, share=0.5),
)
