"""A study: a list of runs, one for each cell of a table, and their results."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from mmengine.config import Config
from pydantic import AfterValidator, Field, JsonValue

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.json_file import Percent, read_json
from auglocal_mm.settings.config_file import merge_changes, parse_config
from auglocal_mm.studies.machine_settings import without_machine
from auglocal_mm.weights.backbone_record import BackboneRecord

REPOSITORY = Path(__file__).parents[2]


def _in_json(value: Any) -> Any:
    json.dumps(value, allow_nan=False)
    return value


Seed = Annotated[str, Field(pattern=r'^\d+$')]
Setting = Annotated[JsonValue, AfterValidator(_in_json)]
"""A value of a config; JSON has neither infinity nor NaN."""


class Result(BackboneRecord):
    """The result of a run: the record of its backbone, and the settings of the run.

    Attributes:
        accuracy: Accuracies in percent, by the name of the metric.
        config: Path of the config, relative to the repository.
        machine: The machine of the run.
        options: Settings of the study.
        overrides: Settings of the command line.
    """

    accuracy: dict[str, Percent]
    config: str | None = None
    machine: dict[str, JsonValue] | None = None
    options: dict[str, Setting] = {}
    overrides: dict[str, Setting] = {}


@dataclass(frozen=True)
class Run:
    """The run of one cell.

    Attributes:
        row: Row of the table.
        column: Column of the table.
        config: Path of the config, relative to the repository.
        options: Settings to override, by dotted key.
        paper: The figures of the paper, by metric; empty if there are none.
    """

    row: str
    column: str
    config: str
    options: Mapping[str, Any] = field(default_factory=dict)
    paper: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its folders and files."""
        return re.sub(r'[^a-z0-9.=]+', '-', f'{self.row}_{self.column}'.lower()).strip('-')


@dataclass(frozen=True)
class Study:
    """The content of a study file.

    Attributes:
        name: Name of the file.
        title: Title of the table.
        note: Note below the title.
        metrics: Names of the accuracies to show.
        runs: The runs of all cells.
    """

    name: str
    title: str
    note: str
    metrics: Sequence[str]
    runs: Sequence[Run]


def read_study(path: Path) -> Study:
    """Reads a study file, which is written like a config.

    Raises:
        InputError: It does not exist, has no title or incomplete runs, or names a config that does not exist.
    """
    content = parse_config(path, 'study', 'projects/paper_tables/studies')
    missing = [key for key in ('title', 'runs') if key not in content]
    if missing:
        raise InputError(f'the study {path} has no {missing[0]}; see projects/paper_tables/README.md')
    _check_runs(content.runs, path)
    common = dict(content.get('options', {}))
    runs = [
        Run(each.row, each.column, each.config, {**common, **each.get('options', {})}, dict(each.get('paper', {})))
        for each in content.runs
    ]
    for run in runs:
        if not (REPOSITORY / run.config).is_file():
            raise InputError(f'the study {path} names the config {run.config}, which does not exist; correct it')
    names = [run.name for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f'the study {path} has two runs {twice[0]}, expected one for each row and column; rename one')
    return Study(path.stem, content.title, content.get('note', ''), content.get('metrics', ['accuracy/top1']), runs)


def run_config(run: Run, seed: int, extra: Mapping[str, Any]) -> Config:
    """The config of one run.

    Args:
        run: The run.
        seed: Random seed.
        extra: Further settings to override, by dotted key.
    """
    config = parse_config(REPOSITORY / run.config, 'config', 'configs')
    merge_changes(config, {**run.options, 'randomness.seed': seed})
    merge_changes(config, extra)
    return config


def read_results(path: Path) -> dict[str, dict[str, Any]]:
    """Results by run and seed; empty if there is no file.

    Raises:
        InputError: The file is damaged.
    """
    if not is_there(path):
        return {}
    measured = read_json(
        path, dict[str, dict[Seed, Result]], 'restore it, or remove that entry and run the study again'
    )
    return {
        run: {seed: result.model_dump(exclude_unset=True) for seed, result in results.items()}
        for run, results in measured.items()
    }


def overrides(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Settings of a command line that may have changed the result of one run.

    Args:
        records: Its results, by seed.
    """
    found: dict[str, Any] = {}
    for record in records.values():
        found |= without_machine(record.get('overrides', {}))
    return found


def _check_runs(runs: Any, path: Path) -> None:
    listed = isinstance(runs, Sequence) and not isinstance(runs, str) and len(runs) > 0
    for index, run in enumerate(runs if listed else [None]):
        missing = [key for key in ('row', 'column', 'config') if key not in (run or {})]
        if missing:
            raise InputError(
                f'the study {path} has no {missing[0]} in runs[{index}]; see projects/paper_tables/README.md'
            )
        for metric, value in run.get('paper', {}).items():
            if not _is_number(value):
                raise InputError(
                    f'runs[{index}].paper.{metric} of the study {path} is {value!r}, expected a number; correct it'
                )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
