import pytest
from mmengine.runner import Runner
from tests_training import stages

from auglocal_mm.errors import InputError

ONE_PIXEL = {'train_dataloader.dataset.transforms': [dict(type='Resize', size=32)]}  # maps of 1x1 in the last stage


@pytest.mark.parametrize('method', ['bp', 'auglocal'])
def test_one_image_of_one_pixel_in_the_last_stage_is_refused(tiny_config, method):
    config = tiny_config(
        method, **ONE_PIXEL, **stages(4), **{'train_dataloader.batch_size': 23, 'train_dataloader.drop_last': False}
    )
    with pytest.raises(InputError, match=r'\b1\b.*batch_size=23.*drop_last=True'):
        Runner.from_cfg(config).train()


@pytest.mark.parametrize(('size', 'share'), [(22, 0.5), (21, 0.2)])
def test_so_is_a_single_image_in_the_share_of_a_head(tiny_config, size, share):
    settings = {'model.auxiliary_heads.batch_share': share, 'train_dataloader.drop_last': False, **ONE_PIXEL}
    config = tiny_config(**settings, **stages(4), **{'train_dataloader.batch_size': size})
    with pytest.raises(InputError, match=rf'\b{24 - size}\b.*batch_size={size}.*drop_last=True'):
        Runner.from_cfg(config).train()


def test_what_can_be_trained_on_is_trained(tiny_config):
    for settings in (
        {'train_dataloader.batch_size': 23, 'train_dataloader.drop_last': True},
        {
            'train_dataloader.batch_size': 23,
            'train_dataloader.drop_last': False,
            'train_dataloader.dataset.transforms': [dict(type='Resize', size=64)],
        },
    ):
        config = tiny_config('bp', **{'train_cfg.max_epochs': 1}, **settings)
        Runner.from_cfg(config).train()
