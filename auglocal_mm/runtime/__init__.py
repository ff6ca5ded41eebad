"""Training of local modules: their optimizers, and executors that run them."""

from auglocal_mm.runtime.cuda_graph import CUDAGraphExecutor
from auglocal_mm.runtime.executor import Executor, build_executor
from auglocal_mm.runtime.layer_parallel import LayerParallelExecutor
from auglocal_mm.runtime.optimizers import LocalOptimWrapper, LocalOptimWrapperConstructor
from auglocal_mm.runtime.sequential import SequentialExecutor

__all__ = [
    'CUDAGraphExecutor',
    'Executor',
    'LayerParallelExecutor',
    'LocalOptimWrapper',
    'LocalOptimWrapperConstructor',
    'SequentialExecutor',
    'build_executor',
]
