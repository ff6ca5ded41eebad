import ast

import pytest
from tests_coco import scenes, write_scenes
from tests_support import REPOSITORY

from auglocal_mm.evaluation.coco_metric import MMDetCocoMetric
from auglocal_mm.private import base_paths, metric_annotations

OWN = {'self', 'cls'}
OTHERS = {
    '_replace',  # public, of named tuples
    '_exit',  # public, of os
    '_cdata',  # PyTorch's identity of a storage
    '_roi_align_backward',  # torchvision's operator
}


def private_attributes(source: str) -> list[str]:
    """Attributes that are private to another object than the one whose code it is."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith('_')
        and not node.attr.startswith('__')
        and node.attr not in OTHERS
        and not (isinstance(node.value, ast.Name) and node.value.id in OWN)
    ]


@pytest.mark.parametrize('folder', ['auglocal_mm', 'tools', 'projects', 'configs'])
def test_private_attributes_of_other_objects_are_read_in_one_file(folder):
    touched = {
        str(path.relative_to(REPOSITORY)): found
        for path in (REPOSITORY / folder).rglob('*.py')
        if (found := private_attributes(path.read_text(encoding='utf-8')))
    }
    assert [*touched] == (['auglocal_mm/private.py'] if folder == 'auglocal_mm' else [])


def test_a_private_attribute_is_seen():
    assert private_attributes('self._own = runner._resume + super().__init__()') == ['runner._resume']
    assert private_attributes('Config._get_base_files(path)._replace()') == ['Config._get_base_files']


def test_bases_of_a_config_are_its_own_and_those_of_packages(tmp_path):
    path = tmp_path / 'child.py'
    path.write_text("_base_ = ['../parent.py', 'mmdet::_base_/default_runtime.py']")
    parent, runtime = base_paths(str(path))
    assert parent == str(tmp_path / '../parent.py')
    assert runtime.endswith('mmdet/.mim/configs/_base_/default_runtime.py')


def test_annotations_of_a_metric_are_those_of_its_file(tmp_path):
    assert metric_annotations(MMDetCocoMetric()) is None
    assert len(metric_annotations(MMDetCocoMetric(write_scenes(tmp_path, scenes()))).imgs) == 3
