"""A photograph inside a page."""

import base64
import io

from markupsafe import Markup
from PIL import Image

QUALITY = 80
"""Of the JPEG, from 0 to 95."""


def inline_photograph(image: Image.Image, alt: str, caption: str = '') -> Markup:
    """The image as JPEG, of the size that it has.

    Args:
        image: In RGB.
        alt: What it shows, for readers who do not see it.
        caption: Text below it.
    """
    file = io.BytesIO()
    image.save(file, format='JPEG', quality=QUALITY)
    return Markup(
        '<figure class="photograph"><img src="data:image/jpeg;base64,{}" alt="{}" width="{}" height="{}"/>'
        '<figcaption>{}</figcaption></figure>'
    ).format(base64.b64encode(file.getvalue()).decode(), alt, *image.size, caption)
