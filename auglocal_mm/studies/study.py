"""A study: a list of runs, each one cell of a table, and what came out of them."""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.studies.machine_settings import without_machine

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """One cell.

    Attributes:
        row: Of the table.
        column: Of the table.
        config: Path of the config, from the repository's root.
        options: Settings to override, by dotted key.
        paper: What the paper prints, by metric; empty where it prints nothing.
    """

    row: str
    column: str
    config: str
    options: Mapping[str, Any] = field(default_factory=dict)
    paper: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For folders and files."""
        return re.sub(r'[^a-z0-9.=]+', '-', f'{self.row}_{self.column}'.lower()).strip('-')


@dataclass(frozen=True)
class Study:
    """What one study file says.

    Attributes:
        name: Name of the file.
        title: Of the table.
        note: What a reader must know.
        metrics: Names of the accuracies to show.
        runs: All cells.
    """

    name: str
    title: str
    note: str
    metrics: Sequence[str]
    runs: Sequence[Run]


def read_study(path: Path) -> Study:
    """Reads a study file, which is written like a config.

    Raises:
        InputError: It is not there, lacks something, or names a config that is not there.
    """
    if not path.is_file():
        raise InputError(f'there is no study {path}; see the folder projects/paper_tables/studies')
    content = Config.fromfile(path)
    missing = [key for key in ('title', 'runs') if key not in content]
    if missing:
        raise InputError(f'the study {path} has no {missing[0]}; see projects/paper_tables/README.md')
    common = dict(content.get('options', {}))
    runs = [
        Run(each.row, each.column, each.config, {**common, **each.get('options', {})}, dict(each.get('paper', {})))
        for each in content.runs
    ]
    for run in runs:
        if not (REPOSITORY / run.config).is_file():
            raise InputError(f'the study {path} names the config {run.config}, which is not there; correct it')
    names = [run.name for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f'the study {path} has two runs {twice[0]}; each row and column makes one cell')
    return Study(path.stem, content.title, content.get('note', ''), content.get('metrics', ['accuracy/top1']), runs)


def run_config(run: Run, seed: int, extra: Mapping[str, Any]) -> Config:
    """The config of one run.

    Args:
        run: What to run.
        seed: Of everything random.
        extra: Settings to override besides, by dotted key.
    """
    config = Config.fromfile(REPOSITORY / run.config)
    # A copy: MMEngine takes _delete_ out of what it merges, and runs share their options.
    config.merge_from_dict(copy.deepcopy({**run.options, 'randomness.seed': seed}))
    config.merge_from_dict(copy.deepcopy(dict(extra)))
    return config


def read_results(path: Path) -> dict[str, dict[str, Any]]:
    """What was measured: for each run, for each seed, the record of its backbone; empty where there is no file.

    Raises:
        InputError: The file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise InputError(f'{path} is no JSON ({error}); restore it, or remove it and run the study again') from error


def overrides(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Settings of a command line that can have changed what one run reached.

    Args:
        records: Of its seeds.
    """
    found: dict[str, Any] = {}
    for record in records.values():
        found |= without_machine(record.get('overrides') or {})
    return found
