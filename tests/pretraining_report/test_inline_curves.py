import re
from pathlib import Path
from xml.etree import ElementTree

from tests_pretrainings import MODULES, backpropagation, curves, pretraining

from auglocal_mm.analysis.training_log import TrainingLog
from auglocal_mm.pretraining_report.inline_curves import module_plots, training_plots, validation_plots


def labels(plots: list[str]) -> list[str | None]:
    return [ElementTree.fromstring(plot).find('svg').get('aria-label') for plot in plots]


def test_every_run_has_a_plot_that_is_described():
    bp, auglocal = labels(module_plots([backpropagation(), pretraining()]))
    assert bp == ('BP by epoch. loss: whole network from 2.5 to 1.5. accuracy (%): whole network from 25 to 75.')
    assert auglocal == (
        'AugLocal by epoch. loss: stem from 3.5 to 2, layer2.0 from 5.5 to 4. '
        'accuracy (%): stem from 50.5 to 52, layer2.0 from 52.5 to 54.'
    )


def test_the_key_names_all_modules_in_their_colours():
    (plot,) = module_plots([pretraining()])
    key = ElementTree.fromstring(plot).find('figcaption')
    assert [''.join(item.itertext())[2:] for item in key] == list(MODULES)
    colours = [item.find('span').get('style').removeprefix('color: ') for item in key]
    assert len(set(colours)) == 3 and all(f'stroke: {colour}' in plot for colour in colours)


def test_backpropagation_needs_no_key():
    assert 'figcaption' not in module_plots([backpropagation()])[0]


def test_plots_of_all_runs():
    (top1,) = validation_plots([backpropagation(), pretraining()], 'accuracy/top1', 'top-1')
    assert labels([top1]) == ['top-1 by epoch: BP from 50 to 55.5, AugLocal from 61.5 to 60.2.']
    (top5,) = validation_plots([backpropagation(), pretraining()], 'accuracy/top5', 'top-5')
    assert labels([top5]) == ['top-5 by epoch: AugLocal from 80 to 91.']


def test_nothing_is_drawn_of_what_is_not_logged():
    assert training_plots([backpropagation(), pretraining()], 'memory', 'memory (GiB)', 1024) == []


def test_memory_where_it_is_logged():
    log = TrainingLog({**curves(), 'memory': [(5, 2048), (20, 3072)]}, {}, [Path('work_dir/1')])
    plots = training_plots([backpropagation(), pretraining(log=log)], 'memory', 'memory (GiB)', 1024)
    assert labels(plots) == ['memory (GiB) by epoch: AugLocal from 2 to 3.']


def test_epochs_and_iterations_are_not_drawn_on_one_axis():
    runs = [pretraining('a'), pretraining('b', epoch_length=None)]
    assert labels(training_plots(runs, 'lr', 'learning rate')) == [
        'learning rate by epoch: a from 0.05 to 0.2.',
        'learning rate by iteration: b from 0.05 to 0.2.',
    ]


def test_a_run_without_any_line_of_the_training():
    """It was stopped in its first iterations, or validates only."""
    run = pretraining(log=TrainingLog({}, {}, [Path('work_dir/1')]), finished=False)
    assert labels(module_plots([run])) == ['AugLocal by epoch. loss: none. accuracy (%): none.']
    assert not re.search('nan', module_plots([run])[0])
