"""Runs the tools from anywhere: python -m auglocal_mm COMMAND [arguments of the tool]."""

import argparse
import ast
import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from auglocal_mm.files.packaged import TOOLS

COMMANDS = {
    'train': 'train.py',
    'test': 'test.py',
    'compare': 'analysis_tools/compare_transfer.py',
    'plan': 'analysis_tools/plan_memory.py',
    'plan-parallel': 'analysis_tools/plan_parallel.py',
    'benchmark': 'analysis_tools/benchmark_training.py',
    'flops': 'analysis_tools/get_flops.py',
    'cka': 'analysis_tools/compare_cka.py',
    'probe': 'analysis_tools/linear_probe.py',
    'curves': 'analysis_tools/plot_curves.py',
    'report': 'analysis_tools/report_pretraining.py',
    'export': 'model_converters/export_backbone.py',
    'import': 'model_converters/import_backbone.py',
    'imagenet-val': 'dataset_converters/imagenet_val.py',
}
"""Files in ``tools`` by the names of their commands."""


def summary(tool: str) -> str:
    """The first line of a tool's docstring, read without running the tool."""
    docstring = ast.get_docstring(ast.parse((TOOLS / tool).read_text(encoding='utf-8')))
    return (docstring or '').split('\n')[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the tool of a command, with the other arguments unchanged."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog='python -m auglocal_mm',
        usage='%(prog)s COMMAND [arguments of the tool]',
        epilog='\n'.join(f'  {command:15}{summary(tool)}' for command, tool in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'command',
        metavar='COMMAND',
        choices=COMMANDS,
        help='one of the commands below; COMMAND --help lists its arguments',
    )
    command = parser.parse_args(given[:1]).command
    sys.argv = [f'{parser.prog} {command}', *given[1:]]  # by which usage and errors name the command
    load_tool(TOOLS / COMMANDS[command]).main(given[1:])


def load_tool(path: Path) -> ModuleType:
    """The module of a tool, which is in no package; tools import each other from their folder."""
    sys.path.insert(0, str(path.parent))
    spec = spec_from_file_location(path.stem, path)
    assert spec and spec.loader  # as its name ends in .py
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


if __name__ == '__main__':
    main()
