"""Summarises all rounds of a benchmark, as values that JSON can store."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from auglocal_mm.benchmark.measurement import Measurement
from auglocal_mm.benchmark.schemes import Scheme
from auglocal_mm.files.json_file import Count
from auglocal_mm.hardware import processor

RELATIVE = {'time': 'median_ms', 'activations': 'activations', 'saved': 'saved_activations', 'flops': 'flops'}


class Machine(BaseModel):
    """The keys of :func:`machine` that reports use; it may have more."""

    model_config = ConfigDict(extra='allow')

    processor: str
    cores: Count
    gpu: str | None = None


def machine(device: str) -> dict[str, Any]:
    """Describes the machine that runs the benchmark."""
    return {
        'processor': processor(),
        'cores': len(os.sched_getaffinity(0)),
        'instructions': torch.backends.cpu.get_cpu_capability(),
        'threads': torch.get_num_threads(),
        'gpu': torch.cuda.get_device_name() if device == 'cuda' else None,
        'torch': torch.__version__,
    }


def summarise(scheme: Scheme, found: Sequence[Measurement] | str) -> dict[str, Any]:
    """All rounds of one scheme; memory in bytes, as the maximum over rounds.

    Args:
        scheme: The measured scheme.
        found: One measurement of each round, or the reason for having none.
    """
    if isinstance(found, str):
        return {'name': scheme.name, 'note': found, 'possible': False}
    rounds = [[1000 * seconds for seconds in each.times] for each in found]
    times = [each for one in rounds for each in one]
    separate = ('times', 'predicted', 'images')
    others = [{key: value for key, value in asdict(each).items() if key not in separate} for each in found]
    return {
        'name': scheme.name,
        'note': scheme.note,
        'possible': True,
        'times_ms': rounds,
        'median_ms': median(times),
        'min_ms': min(times),
        'max_ms': max(times),
        **_predictions(found),
        'images_per_second': 1000 * found[0].images / median(times),
        **{key: max((each[key] for each in others if each[key] is not None), default=None) for key in others[0]},
    }


def _predictions(found: Sequence[Measurement]) -> dict[str, Any]:
    """The predicted time of each round, and its error in the same round, whose median a drift of the machine does not change."""
    pairs = [(each.predicted, median(each.times)) for each in found if each.predicted is not None]
    if not pairs:
        return {}
    errors = [predicted / measured - 1 for predicted, measured in pairs]
    return {'predicted_ms': [1000 * predicted for predicted, _ in pairs], 'prediction_error': median(errors)}


def add_ratios(schemes: Sequence[dict[str, Any]]) -> None:
    """Adds ``relative`` to each scheme: its time, activations and FLOPs as multiples of those of ``BP``, if it ran."""
    reference = _find(schemes, 'BP')
    for scheme in schemes:
        if reference and scheme['possible']:
            known = {key: value for key, value in RELATIVE.items() if scheme[value] is not None}
            scheme['relative'] = {key: scheme[value] / reference[value] for key, value in known.items()}


def add_rivals(schemes: Sequence[dict[str, Any]], device: str) -> None:
    """Adds ``rival`` to each local scheme: the fastest way to backpropagate within its memory, ``None`` if there is none.

    Args:
        schemes: As returned by :func:`summarise`.
        device: On ``'cuda'`` memory is what is allocated at the peak, on ``'cpu'`` activations and gradients.
    """
    memory = {scheme['name']: _memory(scheme, device) for scheme in schemes if scheme['possible']}
    rivals = [each for each in schemes if each['possible'] and not each['auxiliary_parameters']]
    for scheme in schemes:
        if scheme['possible'] and scheme['auxiliary_parameters']:
            within = [rival for rival in rivals if memory[rival['name']] <= memory[scheme['name']]]
            scheme['rival'] = min(within, key=lambda rival: rival['median_ms'])['name'] if within else None


def _memory(scheme: Mapping[str, Any], device: str) -> float:
    """What a scheme needs beside weights and optimizer states on a CPU, infinite if unknown; everything on a GPU."""
    if device == 'cuda':
        return scheme['peak_allocated']
    if scheme['activations'] is None:
        return float('inf')
    return scheme['activations'] + scheme['peak_gradients']


def against_released(schemes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The time of ``AugLocal`` as a multiple of that of ``AugLocal as released``: over all rounds, and in each."""
    ours, released = _find(schemes, 'AugLocal'), _find(schemes, 'AugLocal as released')
    if not ours or not released:
        return None
    pairs = zip(ours['times_ms'], released['times_ms'], strict=False)
    rounds = [median(own) / median(other) for own, other in pairs]
    return {'median': ours['median_ms'] / released['median_ms'], 'rounds': rounds}


def _find(schemes: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    return next((scheme for scheme in schemes if scheme['name'] == name and scheme['possible']), None)
