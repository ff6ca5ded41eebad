import re
from xml.etree import ElementTree

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.matches_file import to_bytes
from auglocal_mm.transfer import recorded_matches
from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.page.photographs import photographs


def captions(html):
    """Of each photograph, under the headings."""
    root = ElementTree.fromstring(f'<div>{html}</div>')
    found = {}
    for each in root:
        if each.tag == 'h3':
            found[each.text] = listed = []
        listed = found[[*found][-1]] if found else []
        listed.extend([figure.text for figure in panel.iter('figcaption')] for panel in [each] if each.tag == 'div')
    return found


def test_objects_and_detections_side_by_side(make_evaluated):
    """Shifted by 9 pixels, the small boxes miss."""
    groups = {'BP': [make_evaluated('bp')], 'Aug <b>': [make_evaluated('auglocal', shift=9.0)]}
    html = photographs(compare(groups), seed=0)
    assert 'BP 0.69, Aug &lt;b&gt; 0.60.' in html
    found = captions(html)
    differing, drawn = found.values()
    assert [*found] == ['Where they differ most', 'At random']
    assert (
        {row[0] for row in differing}
        == {row[0] for row in drawn}
        == {
            'Objects in 1.png: 2',
            'Objects in 2.png: 3',
            'Objects in 3.png: 2',
        }
    )
    assert drawn[0][1] == 'BP: 2 of 2 found, 1 wrong'
    assert drawn[1][1] == 'BP: 2 of 3 found, 0 wrong', 'seven boxes are shown, as there are seven objects'
    shares = [int(re.search(r'Aug <b>: (\d)', row[2])[1]) / int(row[0][-1]) for row in differing]
    assert shares == sorted(shares) and shares[0] == 0


def test_detectors_that_agree(make_evaluated):
    found = photographs(compare({name: [make_evaluated(name)] for name in 'ab'}), seed=0)
    assert captions(found)['Where they differ most'] == []
    assert 'in each of the 3 images' in found and 'Masks are not recorded' in found


def test_without_masks_nothing_is_said_of_them(make_evaluated):
    groups = {name: [make_evaluated(name, metric='bbox')] for name in 'ab'}
    assert 'Masks' not in photographs(compare(groups), seed=0)


def test_of_several_runs_the_first_is_shown(make_evaluated):
    bp, first, second = make_evaluated('bp'), make_evaluated('first'), make_evaluated('second', shift=9.0)
    html = photographs(compare({'BP': [bp], 'AugLocal': [first, second]}), seed=0)
    assert 'in the first run of its name' in html
    assert all(row[2] == row[1].replace('BP', 'AugLocal') for row in captions(html)['At random'])
    assert 'first run' not in photographs(compare({'BP': [bp], 'AugLocal': [first]}), seed=0)


def without_boxes(matches):
    return to_bytes({kind: type(each)(**{**vars(each), 'boxes': None}) for kind, each in matches.items()})


@pytest.mark.parametrize('recorded', [True, False])
def test_runs_of_earlier_versions_have_no_boxes(make_evaluated, monkeypatch, recorded):
    bp = make_evaluated('bp')
    monkeypatch.setattr(recorded_matches, 'to_bytes', without_boxes)
    old = make_evaluated('old', recorded=recorded)
    with pytest.raises(InputError, match=rf'{old} has no recorded boxes.*tools/test\.py'):
        photographs(compare({'BP': [bp], 'AugLocal': [old]}), seed=0)


def test_masks_alone_have_no_boxes(make_evaluated):
    groups = {name: [make_evaluated(name, metric='segm')] for name in 'ab'}
    with pytest.raises(InputError, match=r'no recorded boxes.* masks alone'):
        photographs(compare(groups), seed=0)
