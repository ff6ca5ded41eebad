"""What was trained, from the records of a run: one line for each fact."""

from collections.abc import Mapping

from auglocal_mm.pretraining_report.pretraining_run import PretrainingRun
from auglocal_mm.weights import record_text

NOT_FINISHED = 'The training is not finished: it was stopped, or is still running.'
NOT_EXPORTED = 'It has no `backbone.json` yet: the training was stopped before the export, or is still running.'
OTHER_RECORD = 'The `backbone.json` in its work_dir does not match its config and its log, and is left out.'


def training_facts(run: PretrainingRun) -> dict[str, str | None]:
    """The facts by their names, ``None`` for those that are not recorded. The names are the same for every run."""
    record, config = run.record, run.config
    facts = {
        'method': method(run),
        'network': network(run),
        'local modules K': num_local_modules(run),
        'auxiliary networks': _heads(run),
        'split after': record_text.split_points(record),
        'initial weights': record_text.initial_weights(record),
        'data': data(run),
        'training images': record_text.num_images(record),
        'classes': record.num_classes or config.get('model.head.num_classes'),
        'trained for': length(run),
        'batch size': _batch_size(run),
        'optimizer': _optimizer(run),
        'learning rate': _schedule(run),
        'precision': _precision(run),
        'settings changed when resumed': ', '.join(run.changed) or 'none',
        'seed': config.get('randomness.seed') if record.seed is None else record.seed,
        'device': record_text.device(record),
        'training time (h:min:s)': training_time(run),
        'peak memory': record_text.peak_memory(record),
        'versions': record_text.versions(record),
        'commit': record_text.commit(record),
        'SHA-256 of backbone.pth': record.sha256,
    }
    return {name: None if value is None else str(value) for name, value in facts.items()}


def sentence(run: PretrainingRun) -> str:
    """What was trained, in a sentence, and in others where that is not finished."""
    images = record_text.num_images(run.record)
    on = ' of '.join(filter(None, [images and f'{images} images', data(run)]))
    modules = num_local_modules(run)
    how = 'by backpropagation' if modules == 1 else f'in {modules} local modules with {_heads(run)}'
    start = f' from {run.record.initial_weights}' if run.record.initial_weights else ''
    return f'{network(run)}, trained{start} {how} on {on} for {length(run)}.{_state(run)}'


def method(run: PretrainingRun) -> str:
    """``BP``, or the type of the auxiliary heads."""
    return run.record.method or run.stage.method


def network(run: PretrainingRun) -> str:
    """Such as ``ResNet-34``, from the config where the record does not know it."""
    known = run.record.architecture not in ('', 'unknown')
    return run.record.architecture if known else run.stage.backbone.split('.')[-1]


def num_local_modules(run: PretrainingRun) -> int | None:
    """K, as recorded or else as logged."""
    if run.record.partition:
        return run.record.partition.num_local_modules
    return len(run.modules) or (1 if method(run) == 'BP' else None)


def data(run: PretrainingRun) -> str | None:
    """The data sets, as recorded or else as configured."""
    return record_text.datasets(run.record) or run.config.data


def length(run: PretrainingRun) -> str:
    """For how many epochs, of those that were asked for; iterations in training by iterations."""
    done, total = _done_of(run)
    number = f'{done:,.1f}'.removesuffix('.0')
    if total is None or (run.finished and done == total):
        return f'{number} {run.unit}{"" if number == "1" else "s"}'
    return f'{number} of {total:,} {run.unit}{"" if total == 1 else "s"}'


def training_time(run: PretrainingRun) -> str | None:
    """Wall time, with all that the training was resumed from."""
    time = record_text.training_time(run.record)
    return time if time is None or run.finished else f'{time} until iteration {run.record.iteration:,}'


def _done_of(run: PretrainingRun) -> tuple[float, int | None]:
    """The epochs that are done, and that were asked for; iterations in training by iterations."""
    done = run.iterations / (run.epoch_length or 1)
    return round(done, 1), run.config.get('train_cfg.max_epochs' if run.epoch_length else 'train_cfg.max_iters')


def _state(run: PretrainingRun) -> str:
    """What is missing of a training without a backbone."""
    if run.finished:
        return ''
    done, total = _done_of(run)
    said = {
        NOT_FINISHED: done != total,
        NOT_EXPORTED: done == total and not run.has_other_record,
        OTHER_RECORD: run.has_other_record,
    }
    return ''.join(f' {text}' for text, holds in said.items() if holds)


def _heads(run: PretrainingRun) -> str | None:
    heads = run.record.auxiliary_heads or run.config.get('model.auxiliary_heads')
    return record_text.call(heads) if isinstance(heads, Mapping) else 'none'


def _batch_size(run: PretrainingRun) -> str:
    whose = ' on each replica' if run.config.get('layer_parallel') else ' in each process'
    several = whose if (run.record.num_processes or 1) > 1 else ''
    batches = run.config.get('optim_wrapper.accumulative_counts') or 1
    accumulated = f', gradients of {batches} batches accumulated' if batches > 1 else ''
    return f'{run.config.get("train_dataloader.batch_size")}{several}{accumulated}'


def _optimizer(run: PretrainingRun) -> str | None:
    optimizer = run.config.get('optim_wrapper.optimizer')
    return record_text.call(optimizer) if isinstance(optimizer, Mapping) else None


def _schedule(run: PretrainingRun) -> str:
    given = run.config.get('param_scheduler') or []
    schedulers = [given] if isinstance(given, Mapping) else given
    return ', '.join(str(each.get('type')) for each in schedulers) or 'constant'


def _precision(run: PretrainingRun) -> str:
    if not str(run.config.get('optim_wrapper.type')).endswith('AmpOptimWrapper'):
        return 'float32'
    return f'mixed, {run.config.get("optim_wrapper.dtype") or "bfloat16"}'
