"""Analyses of trained networks and of finished runs: the functions behind the analysis tools, for notebooks."""

from auglocal_mm.analysis.layer_analyses import ProbedLayers, layer_cka, probe_layers
from auglocal_mm.analysis.layer_plots import plot_curves, plot_heat_map
from auglocal_mm.analysis.multiply_adds import MultiplyAdds, network_cost
from auglocal_mm.analysis.trained_model import labelled_batches, load_classifier, read_config
from auglocal_mm.analysis.training_log import read_curves

__all__ = [
    'MultiplyAdds',
    'ProbedLayers',
    'labelled_batches',
    'layer_cka',
    'load_classifier',
    'network_cost',
    'plot_curves',
    'plot_heat_map',
    'probe_layers',
    'read_config',
    'read_curves',
]
