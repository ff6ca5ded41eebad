"""What CONTRIBUTING.md shows works as it stands there."""

import re

from tests_support import REPOSITORY, tool, write

BLOCKS = re.findall(r'```python\n(.*?)```', (REPOSITORY / 'CONTRIBUTING.md').read_text(), re.DOTALL)


def test_a_rule_of_fifteen_lines(tiny_config, tmp_path):
    rule, config_lines = BLOCKS
    assert len([line for line in rule.splitlines() if line.strip()]) <= 15
    (tmp_path / 'narrow_head.py').write_text(rule)
    write(tiny_config('bp'), tmp_path / 'base.py')
    config = tmp_path / 'narrow.py'
    config.write_text(f"_base_ = './base.py'\n{config_lines}")
    environment = {'PYTHONPATH': str(tmp_path)}
    done = tool('tools/train.py', str(config), '--check', **environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'Isolation holds' in done.stdout
    done = tool('tools/train.py', str(config), '--work-dir', str(tmp_path / 'work'), **environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert '"method": "NarrowHead"' in (tmp_path / 'work' / 'backbone.json').read_text()
