import numpy as np
import pytest
import torch

from auglocal_mm.transfer.page.drawn_boxes import LONGEST, NARROW, Box, draw

GREY = torch.full((3, 60, 120), 100, dtype=torch.uint8)


@pytest.mark.parametrize('factor', [1, 10])
def test_boxes_are_drawn_at_the_size_that_is_shown(factor):
    """A box from (30, 15) to (90, 45) on an image of 120 x 60, or of as many times that."""
    image = GREY.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    box = Box([each * factor for each in (30, 15, 60, 30)], '', '#ff0000')
    drawn = np.asarray(draw(image, [box]))
    assert drawn.shape == (LONGEST // 2, LONGEST, 3)
    red = np.argwhere((drawn == (255, 0, 0)).all(axis=2))
    assert red.min(axis=0).tolist() == pytest.approx([60, 120], abs=2)
    assert red.max(axis=0).tolist() == pytest.approx([180, 360], abs=2)
    assert (drawn[120, 240] == 100).all(), 'it is not filled'


def test_a_label_is_written_in_its_colour_and_left_out_where_it_is_narrow():
    def coloured(*boxes):
        return int((np.asarray(draw(GREY, boxes)) == (0, 255, 0)).all(axis=2).sum())

    wide, narrow = [10, 10, 40, 30], [10, 10, NARROW * 120 / LONGEST - 1, 30]
    assert coloured(Box(wide, 'cat', '#00ff00')) > 1.1 * coloured(Box(wide, '', '#00ff00'))
    assert coloured(Box(narrow, 'cat', '#00ff00')) == coloured(Box(narrow, '', '#00ff00'))
    assert Box(wide, 'cat', '', mark='x').text(NARROW) == 'x cat'
    assert Box(wide, 'cat', '', mark='x').text(NARROW - 1) == 'x'
    assert Box(wide, 'cat', '').text(NARROW - 1) is None


def test_an_image_without_boxes():
    assert (np.asarray(draw(GREY, [])) == 100).all()
