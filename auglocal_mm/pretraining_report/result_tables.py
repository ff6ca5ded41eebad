"""Facts and results of runs as tables in Markdown."""

from collections.abc import Sequence

from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.files.run_record import plain
from auglocal_mm.pretraining_report.pretraining_run import PretrainingRun
from auglocal_mm.pretraining_report.results import Validations, final_values, metrics, validations
from auglocal_mm.pretraining_report.training_facts import training_facts, training_time
from auglocal_mm.transfer.run_config import settings_that_differ
from auglocal_mm.weights.record_text import peak_memory

UNKNOWN = 'not recorded'
KINDS = {'loss': ('loss', '.4f'), 'accuracy': ('accuracy (%)', '.2f'), 'grad_norm': ('gradient norm', '.3g')}


def fact_tables(runs: Sequence[PretrainingRun]) -> list[str]:
    """What was trained: a table of what differs between the runs, and one of what does not."""
    facts = [training_facts(run) for run in runs]
    rows = [(name, *(fact[name] or UNKNOWN for fact in facts)) for name in facts[0]]
    equal = [row[:2] for row in rows if len(set(row[1:])) == 1]
    if len(runs) == 1:
        return [markdown_table(('', runs[0].name), rows)]
    different = [row for row in rows if row[:2] not in equal]
    tables = [(('', *(run.name for run in runs)), different), (('', 'all runs'), equal)]
    return [markdown_table(header, lines) for header, lines in tables if lines]


def result_table(runs: Sequence[PretrainingRun]) -> str:
    """A row for each run: its accuracies on the validation set at the end and at their best, its time and its memory."""
    names = metrics(runs)
    accuracies = [text for name in names.values() for text in (name, f'best {name}')]
    header = ('', *accuracies, 'time (h:min:s)', 'peak memory')
    return markdown_table(header, [(run.name, *_accuracies(run, list(names)), *_costs(run)) for run in runs])


def module_table(run: PretrainingRun) -> str:
    """A row for each local module with the last values that were logged."""
    values = final_values(run)
    kinds = [kind for kind in KINDS if any(kind in found for found in values.values())]
    rows = [
        (str(index), module, *(format(found[kind], KINDS[kind][1]) if kind in found else UNKNOWN for kind in kinds))
        for index, (module, found) in enumerate(values.items(), start=1)
    ]
    return markdown_table(('', 'local module', *(KINDS[kind][0] for kind in kinds)), rows)


def settings_table(runs: Sequence[PretrainingRun]) -> str | None:
    """Every other setting in which the configs of runs differ; ``None`` if there is none."""
    differing = settings_that_differ({run.name: run.config for run in runs})
    rows = [(key, *(str(plain(values[run.name])) for run in runs)) for key, values in differing.items()]
    return markdown_table(('', *(run.name for run in runs)), rows) if rows else None


def _accuracies(run: PretrainingRun, names: Sequence[str]) -> list[str]:
    unit, cells = run.validation_unit, []
    for name in names:
        found = validations(run, name)
        cells += [UNKNOWN] * 2 if found is None else [f'{found.last:.2f}', _best(found, unit)]
    return cells


def _best(found: Validations, unit: str) -> str:
    """Unknown where MMEngine has logged all validations of a training by iterations as those of epoch 0."""
    return f'{found.best:.2f} ({unit} {found.best_step})' if found.best_step else UNKNOWN


def _costs(run: PretrainingRun) -> tuple[str, str]:
    return training_time(run) or UNKNOWN, peak_memory(run.record) or UNKNOWN
