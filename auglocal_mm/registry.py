"""Child registries of MMEngine's root registries: a ``type`` in a config is looked up here first, then there."""

from mmengine import registry as mmengine_registry
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry

MODULE2PACKAGE['auglocal_mm'] = 'auglocal_mm'  # whose configs may be named, as in _base_ = 'auglocal_mm::bp/NAME.py'

MODELS = Registry('model', parent=mmengine_registry.MODELS, locations=['auglocal_mm.models'])
EXECUTORS = Registry('executor', locations=['auglocal_mm.runtime'])
HOOKS = Registry('hook', parent=mmengine_registry.HOOKS, locations=['auglocal_mm.engine'])
OPTIM_WRAPPERS = Registry('optim wrapper', parent=mmengine_registry.OPTIM_WRAPPERS, locations=['auglocal_mm.engine'])
DATASETS = Registry('dataset', parent=mmengine_registry.DATASETS, locations=['auglocal_mm.datasets'])
TRANSFORMS = Registry('transform', parent=mmengine_registry.TRANSFORMS, locations=['auglocal_mm.datasets'])
FUNCTIONS = Registry('function', parent=mmengine_registry.FUNCTIONS, locations=['auglocal_mm.datasets'])
METRICS = Registry('metric', parent=mmengine_registry.METRICS, locations=['auglocal_mm.evaluation'])

OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS,
    locations=['auglocal_mm.runtime'],
)

# We register nothing here, but MMEngine warns at every look-up if the default scope has no child registry.
DATA_SAMPLERS = Registry('data sampler', parent=mmengine_registry.DATA_SAMPLERS, locations=['auglocal_mm.datasets'])
EVALUATOR = Registry('evaluator', parent=mmengine_registry.EVALUATOR, locations=['auglocal_mm.evaluation'])
LOG_PROCESSORS = Registry('log processor', parent=mmengine_registry.LOG_PROCESSORS, locations=['auglocal_mm.engine'])
LOOPS = Registry('loop', parent=mmengine_registry.LOOPS, locations=['auglocal_mm.engine'])
MODEL_WRAPPERS = Registry('model wrapper', parent=mmengine_registry.MODEL_WRAPPERS, locations=['auglocal_mm.models'])
OPTIMIZERS = Registry('optimizer', parent=mmengine_registry.OPTIMIZERS, locations=['auglocal_mm.engine'])
PARAM_SCHEDULERS = Registry(
    'parameter scheduler', parent=mmengine_registry.PARAM_SCHEDULERS, locations=['auglocal_mm.engine']
)
RUNNERS = Registry('runner', parent=mmengine_registry.RUNNERS, locations=['auglocal_mm.engine'])
VISBACKENDS = Registry('vis_backend', parent=mmengine_registry.VISBACKENDS, locations=['auglocal_mm.engine'])
VISUALIZERS = Registry('visualizer', parent=mmengine_registry.VISUALIZERS, locations=['auglocal_mm.engine'])
WEIGHT_INITIALIZERS = Registry(
    'weight initializer', parent=mmengine_registry.WEIGHT_INITIALIZERS, locations=['auglocal_mm.models']
)
