"""The model card of a backbone, from the records of its training: ``README.md`` as the Hugging Face Hub shows it."""

from collections.abc import Mapping

import torch
import torchvision

import auglocal_mm
from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.hub.training import Training
from auglocal_mm.weights import record_text
from auglocal_mm.weights.backbone_record import BackboneRecord

UNKNOWN = 'not recorded'
TIMM = """With timm, from a copy of this folder or from the Hub:

```python
import timm

model = timm.create_model('local-dir:FOLDER', pretrained=True)  # or 'hf-hub:USER/NAME'
```

"""
CARD = """# {title}

A backbone {origin} auglocal_mm, an implementation of [AugLocal](https://arxiv.org/abs/2402.17318) and its baselines.

{table}

## Use

{timm}In a config of a detector that auglocal_mm trains:

```python
model = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='{file}')))
```
"""


def model_card(record: BackboneRecord, training: Training, in_timm: bool, file: str, licence: str | None) -> str:
    """The card, in Markdown.

    Args:
        record: Description of the written weights.
        training: Of the weights.
        in_timm: Whether timm reads the folder.
        file: Name of the file of weights.
        licence: Of the weights; ``None`` if it is not stated.
    """
    known = record.method != 'unknown'
    modules = record.partition.num_local_modules if record.partition else training.local_modules
    task = 'image-classification' if record.num_classes else 'image-feature-extraction'
    tags = [task, *(['local-learning'] if (modules or 1) > 1 else [])]
    header = [f'tags: [{", ".join(tags)}]', *(['library_name: timm'] if in_timm else [])]
    header += [f'license: {licence}'] if licence else []
    facts = {
        'trained as part of': training.config.get('model.type'),
        'method': record.method if known else None,
        'local modules K': modules,
        'split after': record_text.split_points(record),
        'auxiliary networks': _heads(record, training),
        'initial weights': record_text.initial_weights(record),
        'data': _data(record, training),
        'training images': record_text.num_images(record),
        'epochs': record.epoch,
        'seed': training.seed,
        **record_text.accuracies(record),
        'trained on': record_text.device(record),
        'training time (h:min:s)': record_text.training_time(record),
        'peak memory': record_text.peak_memory(record),
        'trained with': _software(record, training),
        'exported with auglocal_mm': auglocal_mm.__version__,
        'exported with PyTorch, torchvision': f'{torch.__version__}, {torchvision.__version__}',
        'SHA-256 of the config': record.config_hash,
        f'SHA-256 of {file}': record.sha256,
        'licence of the weights': licence or 'not stated',
    }
    if not record.accuracy:
        facts['accuracy'] = None
    if in_timm and not training.config.values:
        facts['preparation of images'] = f"{UNKNOWN}: config.json leaves it to timm's defaults"
    rows = [(name, UNKNOWN if value is None else str(value)) for name, value in facts.items()]
    card = CARD.format(
        title=record.architecture + (f', pretrained with {record.method.removesuffix("Head")}' if known else ''),
        origin='pretrained with' if known else 'exported with',  # weights of other programs can be exported too
        table=markdown_table(('', ''), rows),
        timm=TIMM if in_timm else '',
        file=file,
    )
    return '\n'.join(['---', *header, '---', '', card])


def _software(record: BackboneRecord, training: Training) -> str | None:
    """Versions and commit; of earlier trainings, the version of MMEngine alone is known."""
    if record.versions is None:
        return training.mmengine_version and f'mmengine {training.mmengine_version}'
    found = record_text.commit(record)
    return f'{record_text.versions(record)}{f", commit {found}" if found else ""}'


def _heads(record: BackboneRecord, training: Training) -> str | None:
    heads = record.auxiliary_heads or training.config.get('model.auxiliary_heads')
    if not isinstance(heads, Mapping):
        return 'none' if training.is_classifier or record.method == 'BP' else None
    return record_text.call(heads)


def _data(record: BackboneRecord, training: Training) -> str | None:
    """The data sets that were trained on, and the number of their classes."""
    found = record_text.datasets(record) or training.config.data
    classes = len(training.classes) or record.num_classes or training.config.get('model.head.num_classes')
    return found and f'{found}, {classes or "unknown"} classes'
