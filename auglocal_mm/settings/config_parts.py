"""Compares the types, keys and values in a config with the classes that registries would build, before they do."""

import difflib
import inspect
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import mmengine.registry as mmengine_registry
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import set_random_seed
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from auglocal_mm.errors import InputError
from auglocal_mm.registry import EXECUTORS

BUILDERS = {
    **dict.fromkeys(('model', 'backbone', 'neck', 'head', 'auxiliary_heads', 'classifier'), mmengine_registry.MODELS),
    **dict.fromkeys(('data_preprocessor', 'rpn_head', 'roi_head', 'bbox_head', 'mask_head'), mmengine_registry.MODELS),
    **dict.fromkeys(('dataset', 'datasets'), mmengine_registry.DATASETS),
    **dict.fromkeys(('transforms', 'pipeline'), mmengine_registry.TRANSFORMS),
    **dict.fromkeys(('sampler', 'batch_sampler'), mmengine_registry.DATA_SAMPLERS),
    **dict.fromkeys(('val_evaluator', 'test_evaluator', 'metrics'), mmengine_registry.METRICS),
    'optim_wrapper': mmengine_registry.OPTIM_WRAPPERS,
    'optimizer': mmengine_registry.OPTIMIZERS,
    'param_scheduler': mmengine_registry.PARAM_SCHEDULERS,
    'custom_hooks': mmengine_registry.HOOKS,
    'executor': EXECUTORS,
    'log_processor': mmengine_registry.LOG_PROCESSORS,
    'visualizer': mmengine_registry.VISUALIZERS,
    'vis_backends': mmengine_registry.VISBACKENDS,
}
"""The registry that builds what a key contains, wherever the key is."""
LOOPS = {'train_cfg': '', 'val_cfg': 'ValLoop', 'test_cfg': 'TestLoop'}
"""Settings that MMEngine builds loops from, and the loop without ``type``; that of training depends on ``by_epoch``."""
UNRELATED = ('train_cfg', 'test_cfg', 'paramwise_cfg')
"""Keys below which these names mean something else."""
RUNNER_KEYS = {
    mmengine_registry.HOOKS: ('priority',),
    mmengine_registry.OPTIM_WRAPPERS: ('constructor', 'paramwise_cfg'),
    mmengine_registry.PARAM_SCHEDULERS: ('convert_to_iter_based',),
}
"""Keys that MMEngine removes before it builds."""
GIVEN = (
    *('placement', 'in_channels', 'model', 'modules', 'optim_wrapper', 'optim_wrapper_cfg', 'optimizer', 'stages'),
    *('batch_size', 'dataset', 'sampler'),
)
"""Parameters of our classes that whatever builds them adds; classifiers of auxiliary networks get all of theirs."""


def check_parts(config: Config) -> None:
    """Compares every part that a registry will build with its class.

    Raises:
        InputError: A type that is not registered, a key that the class does not take, a missing key of a class of
            ours or a value of another type than it declares, or a depth that a backbone does not have.
    """
    scope = config.get('default_scope') or 'mmengine'
    classes = {}
    for key, part, builder in _parts(config, ''):
        if part['type'].endswith('Evaluator'):
            builder = mmengine_registry.EVALUATOR
        cls = _registered(key, part['type'], builder, 'auglocal_mm' if builder is EXECUTORS else scope)
        _check_part(key, part, cls, RUNNER_KEYS.get(builder, ()))
        classes[key] = part, cls
    for key, default in LOOPS.items():
        loop = config.get(key)
        if isinstance(loop, Mapping):
            kind = default or ('EpochBasedTrainLoop' if loop.get('by_epoch', True) else 'IterBasedTrainLoop')
            cls = _registered(key, loop.get('type', kind), mmengine_registry.LOOPS, scope)
            _check_part(key, loop, cls, () if 'type' in loop else ('by_epoch',))
    _check_part('randomness', config.get('randomness') or {}, set_random_seed, ())
    for key, (part, cls) in classes.items():
        _check_complete(key, part, cls)


def _parts(parent: Mapping[str, Any] | Config, path: str) -> Iterator[tuple[str, Mapping[str, Any], Registry]]:
    """The dotted key, the part and its root registry, for everything that will be built."""
    for name, value in parent.items():
        listed = dict(enumerate(value)) if isinstance(value, list | tuple) else {None: value}
        for index, part in listed.items():
            key = f'{path}{name}' if index is None else f'{path}{name}.{index}'
            if not isinstance(part, Mapping):
                continue
            builder = mmengine_registry.HOOKS if path == 'default_hooks.' else BUILDERS.get(name)
            if builder is not None and isinstance(part.get('type'), str):
                yield key, part, builder
            if name not in UNRELATED:
                yield from _parts(part, f'{key}.')


def _check_part(key: str, part: Mapping[str, Any], cls: Any, outside: Collection[str]) -> None:
    parameters, takes_others = _parameters(cls)
    for name in part.keys() - {'type', '_scope_', *parameters, *outside}:
        advice = did_you_mean(name, parameters)
        if advice or not takes_others:
            settable = ', '.join(name for name in parameters if name not in GIVEN)
            advice = advice or (f'expected some of {settable}.' if settable else 'it takes none.')
            raise InputError(
                f'{key} ({cls.__name__}) has no key {name!r}; {advice} A part that replaces an inherited one needs '
                '_delete_=True, or keeps its keys'
            )
    if cls.__module__.startswith('auglocal_mm.'):
        for name in part.keys() & parameters.keys():
            _check_value(f'{key}.{name}', part[name], parameters[name])
    depths = getattr(cls, 'arch_settings', None)  # mmdet's convention
    if isinstance(depths, Mapping) and 'depth' in part and part['depth'] not in depths:
        raise InputError(f'{key}.depth is {part["depth"]!r}; expected one of {", ".join(map(str, depths))}')


def _check_complete(key: str, part: Mapping[str, Any], cls: Any) -> None:
    if not cls.__module__.startswith('auglocal_mm.') or key.endswith('.classifier'):
        return
    for name, parameter in _parameters(cls)[0].items():
        if parameter.default is parameter.empty and name not in (*part, *GIVEN):
            raise InputError(f'{key} ({cls.__name__}) has no key {name!r}, which it needs; set {key}.{name}')


def _registered(key: str, name: str, root: Registry, scope: str) -> Any:
    with root.switch_scope_and_registry(scope) as registry:
        cls = registry.get(name)
        if cls is None:
            known = {*registry.module_dict, *(registry.parent.module_dict if registry.parent else ())}
            package = name.partition('.')[0] if '.' in name else ''
            advice = did_you_mean(name, known) or 'custom_imports loads classes of your own'
            advice = f'is {package} installed?' if package else advice
            raise InputError(f'{key}.type is {name!r}, which is not in the {root.name} registry; {advice}')
    return cls


def _parameters(cls: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    """The parameters of the constructor and, if it passes on ``**kwargs``, of its bases; and whether it may take others."""
    constructors = (
        [vars(each)['__init__'] for each in inspect.getmro(cls)[:-1] if '__init__' in vars(each)]
        if inspect.isclass(cls)
        else [cls]
    )
    found: dict[str, inspect.Parameter] = {}
    for index, each in enumerate(constructors):
        own = inspect.signature(each).parameters.values()
        named = {p.name: p for p in own if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name != 'self'}
        found = {**named, **found}
        if not any(p.kind is p.VAR_KEYWORD for p in own):
            return found, index > 0
    return found, True


def _check_value(key: str, value: Any, parameter: inspect.Parameter) -> None:
    will_be_built = isinstance(value, Mapping) and 'type' in value
    if parameter.annotation is parameter.empty or value == parameter.default or will_be_built:
        return
    try:
        kind = TypeAdapter(parameter.annotation, config=ConfigDict(arbitrary_types_allowed=True))
        kind.validate_python(value, strict=True)
    except PydanticSchemaGenerationError:
        return
    except ValidationError as error:
        expected = inspect.formatannotation(parameter.annotation).replace('collections.abc.', '').replace('typing.', '')
        raise InputError(f'{key} is {value!r}; expected {expected}') from error


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A question that suggests known names similar to ``name``; empty if there are none."""
    similar = difflib.get_close_matches(name, known, n=3)
    return f'did you mean {" or ".join(similar)}?' if similar else ''
