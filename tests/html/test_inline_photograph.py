import base64
import io
from xml.etree import ElementTree

from PIL import Image, ImageChops

from auglocal_mm.html import inline_photograph


def test_the_image_and_its_texts():
    image = Image.linear_gradient('L').convert('RGB').resize((60, 40))
    html = inline_photograph(image, 'a "dog"', 'BP <finds> it')
    figure = ElementTree.fromstring(html)
    shown = figure.find('img')
    assert (shown.get('alt'), shown.get('width'), shown.get('height')) == ('a "dog"', '60', '40')
    assert figure.findtext('figcaption') == 'BP <finds> it'
    kind, _, data = shown.get('src').partition(',')
    decoded = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (kind, decoded.format) == ('data:image/jpeg;base64', 'JPEG')
    assert max(high for _, high in ImageChops.difference(decoded, image).getextrema()) < 16
