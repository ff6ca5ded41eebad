"""Packaged configs by name, for the tools, MMEngine and mim."""

import os

import pytest
from mmengine.hub import get_config
from tests_support import REPOSITORY

import auglocal_mm.registry  # noqa: F401  (tells MMEngine of the package)
from auglocal_mm.errors import InputError
from auglocal_mm.files.packaged import CONFIGS, PACKAGED, TOOLS, config_path
from auglocal_mm.settings.config_file import read_config_file

NAME = 'bp/resnet32_bp_1xb1024-400e_cifar10.py'


@pytest.mark.parametrize('name', [NAME, f'configs/{NAME}'])
def test_a_packaged_config_is_found_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_path(name) == str(REPOSITORY / 'configs' / NAME)
    assert read_config_file(name).model.backbone.depth == 32


def test_a_file_comes_before_the_packaged_config_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'bp').mkdir()
    (tmp_path / NAME).write_text('mine = True')
    assert config_path(NAME) == NAME


@pytest.mark.parametrize('name', ['bp/resnet32.py', 'bp', 'x' * 1000])
def test_any_other_name_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=name) as error:
        read_config_file(name)
    assert os.path.realpath(CONFIGS) in str(error.value)


def test_mmengine_finds_it_by_the_name_of_the_package():
    assert get_config(f'auglocal_mm::{NAME}').model.backbone.depth == 32


def test_mim_finds_configs_by_their_file_names_and_the_tools():
    found = [file for _, _, files in os.walk(PACKAGED, followlinks=True) for file in files if file.endswith('.py')]
    assert len(found) > 80
    assert sorted(set(found)) == sorted(found)
    assert (TOOLS / 'train.py').is_file() and (TOOLS / 'test.py').is_file()
    assert (PACKAGED / 'model-index.yml').is_file()
