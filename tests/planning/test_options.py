import argparse
from pathlib import Path

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.planning.options import add_depths, add_options, check_depths, check_out, given_options


def parse(*arguments):
    parser = argparse.ArgumentParser()
    add_depths(parser)
    add_options(parser, heads=['DGLHead'])
    return parser.parse_args([*arguments, '--out', 'out'])


def test_options_change_the_config_and_nothing_else_does():
    assert given_options(parse()) == {}
    given = given_options(parse('--batch-size', '3', '--image-size', '48', '--amp', '--cfg-options', 'a.b=1'))
    assert given == {
        'a.b': 1,
        'train_dataloader.batch_size': 3,
        'model.image_size': 48,
        'optim_wrapper.type': 'auglocal_mm.AmpOptimWrapper',
        'optim_wrapper.dtype': 'bfloat16',
    }


@pytest.mark.parametrize(('least', 'most'), [('1', '2'), ('3', '2')])
def test_depths_out_of_range_are_refused(least, most):
    check_depths(parse())
    with pytest.raises(InputError, match=f'--min-depth is {least} and --max-depth {most}'):
        check_depths(parse('--min-depth', least, '--max-depth', most))


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    check_out(tmp_path / 'new' / 'folder')
    for out in (Path(__file__), Path(__file__, 'folder')):
        with pytest.raises(InputError, match=f'--out is {out}.*{__file__} is not'):
            check_out(out)
