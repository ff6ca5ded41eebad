"""Each test starts a fresh interpreter, because an import can be tried only once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_IN = str(ROOT / 'auglocal_mm/ops/mmcv_ext.py')


def run(folder: Path, code: str, **environment: str) -> list[str]:
    """Runs ``code`` as a script in ``folder``, whose packages Python then finds first; returns the printed lines."""
    script = folder / 'script.py'
    script.write_text(code)
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), **environment}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A folder with an mmcv that has no compiled ops, reduced to its imports."""
    package = tmp_path / 'mmcv'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'ops.py').write_text("import importlib\next = importlib.import_module('mmcv._ext')\n")
    return tmp_path


@pytest.fixture
def compiled(plain: Path) -> Path:
    """The same, with something to find at ``mmcv._ext``."""
    (plain / 'mmcv' / '_ext.py').write_text('')
    return plain


def test_the_stand_in_takes_the_place_of_missing_ops(plain: Path) -> None:
    assert run(plain, 'import auglocal_mm, mmcv.ops; print(mmcv.ops.ext.__file__)') == [STAND_IN]


def test_a_compiled_ext_wins(compiled: Path) -> None:
    ext = str(compiled / 'mmcv' / '_ext.py')
    assert run(compiled, 'import auglocal_mm, mmcv.ops; print(mmcv.ops.ext.__file__)') == [ext]


def test_a_compiled_ext_wins_wherever_mmcv_looks_for_it(plain: Path) -> None:
    elsewhere = plain / 'build'
    elsewhere.mkdir()
    (elsewhere / '_ext.py').write_text('')
    code = f"""
import mmcv
mmcv.__path__.append({str(elsewhere)!r})
import auglocal_mm, mmcv.ops
print(mmcv.ops.ext.__file__)
"""
    assert run(plain, code) == [str(elsewhere / '_ext.py')]


def test_a_module_that_is_already_there_is_left_alone(plain: Path) -> None:
    code = """
import sys
mine = sys.modules['mmcv._ext'] = object()
import auglocal_mm, mmcv.ops
print(mmcv.ops.ext is mine)
"""
    assert run(plain, code) == ['True']


def test_a_second_call_changes_nothing(plain: Path) -> None:
    code = """
import sys, auglocal_mm
before = [*sys.meta_path]
auglocal_mm.provide_mmcv_ops()
print(sys.meta_path == before)
"""
    assert run(plain, code) == ['True']


def test_the_environment_turns_it_off(plain: Path) -> None:
    code = """
import auglocal_mm
try:
    import mmcv.ops
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(plain, code, AUGLOCAL_MMCV_OPS='0') == ['mmcv._ext']


def test_mmcv_ops_can_be_imported_after_a_failed_import(plain: Path) -> None:
    code = """
try:
    import mmcv.ops
except ModuleNotFoundError as error:
    print(error.name)
import auglocal_mm, mmcv.ops
print(mmcv.ops.ext.__file__)
"""
    assert run(plain, code) == ['mmcv._ext', STAND_IN]


def test_a_spawned_process_has_the_stand_in_too(plain: Path) -> None:
    code = """
import multiprocessing
import auglocal_mm
import mmcv.ops

def name():
    return mmcv.ops.ext.__file__

if __name__ == '__main__':
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        print(pool.apply(name))
"""
    assert run(plain, code) == [STAND_IN]


def test_importing_the_package_is_light(tmp_path: Path) -> None:
    code = """
import sys, auglocal_mm
print({'torch', 'torchvision', 'mmcv', 'mmengine', 'mmdet'} & set(sys.modules))
"""
    assert run(tmp_path, code) == ['set()']
