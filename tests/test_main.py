"""``python -m auglocal_mm``. ``tests/test_wheel.py`` runs its commands where there is no checkout."""

import sys

import pytest
from tests_support import REPOSITORY

from auglocal_mm.__main__ import COMMANDS, main


def test_help_has_a_line_for_every_tool(capsys):
    with pytest.raises(SystemExit, match='0'):
        main(['--help'])
    lines = capsys.readouterr().out.splitlines()
    for command, tool in COMMANDS.items():
        docstring = (REPOSITORY / 'tools' / tool).read_text().split('"""')[1]
        assert f'  {command:15}{docstring.splitlines()[0]}' in lines
    tools = {str(path.relative_to(REPOSITORY / 'tools')) for path in (REPOSITORY / 'tools').rglob('*.py')}
    assert tools - {'run_processes.py'} == set(COMMANDS.values())


@pytest.mark.parametrize('arguments', [[], ['trian']])
def test_no_such_command_is_refused(arguments, capsys):
    with pytest.raises(SystemExit, match='2'):
        main(arguments)
    assert 'COMMAND' in capsys.readouterr().err


def test_arguments_go_through_unchanged(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['-m', 'imagenet-val', '--no-such-option', '--', '-h'])
    monkeypatch.setattr(sys, 'path', [*sys.path])
    with pytest.raises(SystemExit, match='2'):
        main()
    assert sys.argv[1:] == ['--no-such-option', '--', '-h']
    assert 'python -m auglocal_mm imagenet-val: error: ' in capsys.readouterr().err
