"""Studies: lists of runs, one for each cell of a table, and their results."""

from auglocal_mm.studies.study import Run, Study, overrides, read_results, read_study, run_config

__all__ = ['Run', 'Study', 'overrides', 'read_results', 'read_study', 'run_config']
