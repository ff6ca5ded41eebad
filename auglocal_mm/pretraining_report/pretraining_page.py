"""The report of one pretraining, or of several beside one another, as one HTML file."""

from collections.abc import Sequence
from itertools import chain

from markupsafe import Markup

from auglocal_mm.html import Section, from_markdown, page, side_by_side
from auglocal_mm.pretraining_report.inline_curves import module_plots, training_plots, validation_plots
from auglocal_mm.pretraining_report.pretraining_run import PretrainingRun
from auglocal_mm.pretraining_report.result_tables import fact_tables, module_table, result_table, settings_table
from auglocal_mm.pretraining_report.results import metrics, outcome
from auglocal_mm.pretraining_report.training_facts import sentence

ABOUT_BEST = (
    'Accuracies are in percent, on the validation set. The best one was chosen on the same images, which favours it.'
)
ABOUT_MODULES = (
    'Losses and accuracies are those of training batches. Those of local modules are averaged from one log line to the next; '
    'of backpropagation, the accuracy is that of the last batch alone.'
)
BLOCK = Markup('<div>{}</div>')
RUN = Markup('<h3>{}</h3>{}{}')
GIBIBYTE = 1024
"""Mebibytes, in which MMEngine logs memory."""


def pretraining_page(runs: Sequence[PretrainingRun]) -> str:
    """The page.

    Args:
        runs: With names of their own.
    """
    sections = [
        Section('What was trained', Markup('<div class="facts">{}</div>').format(_tables(*fact_tables(runs)))),
        Section('Result', _results(runs)),
        Section('Local modules', _modules(runs)),
        Section('Learning rate, time and memory', _costs(runs)),
    ]
    if len(runs) > 1:
        found = settings_table(runs) or 'None, apart from seeds and folders.'
        sections.append(Section('Settings that differ', from_markdown(found)))
    texts = [f'{run.name}: {sentence(run)} {outcome(run)}' for run in runs]
    summary = from_markdown('\n'.join(f'- {text}' for text in texts) if len(runs) > 1 else texts[0])
    return page(f'Pretraining: {", ".join(run.name for run in runs)}', summary, sections)


def _results(runs: Sequence[PretrainingRun]) -> Markup:
    plots = [validation_plots(runs, metric, f'validation {name} (%)') for metric, name in metrics(runs).items()]
    return _tables(result_table(runs), ABOUT_BEST) + side_by_side(chain(*plots))


def _modules(runs: Sequence[PretrainingRun]) -> Markup:
    plots, tables = module_plots(runs), [_tables(_last_line(run), module_table(run)) for run in runs]
    if len(runs) == 1:
        return from_markdown(ABOUT_MODULES) + side_by_side([*plots, BLOCK.format(*tables)])
    blocks = [BLOCK.format(RUN.format(run.name, *parts)) for run, *parts in zip(runs, plots, tables, strict=True)]
    return from_markdown(ABOUT_MODULES) + side_by_side(blocks)


def _last_line(run: PretrainingRun) -> str:
    return f'As logged last, in iteration {run.last_logged:,}:'


def _costs(runs: Sequence[PretrainingRun]) -> Markup:
    return side_by_side(
        [
            *training_plots(runs, 'lr', 'learning rate'),
            *training_plots(runs, 'time', 'seconds per iteration'),
            *training_plots(runs, 'memory', 'memory (GiB)', GIBIBYTE),
        ]
    )


def _tables(*texts: str) -> Markup:
    return Markup('').join(map(from_markdown, texts))
