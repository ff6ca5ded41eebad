"""Boxes with labels on a photograph."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import resize, to_pil_image
from torchvision.utils import draw_bounding_boxes

LONGEST = 480
"""Pixels of the longer side."""
NARROW = 50
"""Pixels."""
FONT = str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'))


@dataclass(frozen=True)
class Box:
    """A box to draw.

    Attributes:
        place: Left, top, width and height in pixels of the image.
        label: What is written at it, unless it is narrow.
        colour: As CSS writes it.
        mark: What is written before the label, and also at a narrow one.
    """

    place: Sequence[float]
    label: str
    colour: str
    mark: str = ''

    def text(self, width: float) -> str | None:
        """What is written at it where it is drawn so many pixels wide."""
        return ' '.join(filter(None, (self.mark, self.label if width >= NARROW else ''))) or None


def draw(image: Tensor, boxes: Sequence[Box]) -> Image.Image:
    """The image with its boxes, the last one on top.

    Args:
        image: uint8 of shape (3, H, W); it is scaled to ``LONGEST``.
        boxes: The boxes.
    """
    height, width = image.shape[1:]
    scale = LONGEST / max(height, width)
    scaled = resize(image, [max(1, round(height * scale)), max(1, round(width * scale))], antialias=True)
    if boxes:
        corners = torch.tensor([(x, y, x + w, y + h) for x, y, w, h in (box.place for box in boxes)]) * scale
        scaled = draw_bounding_boxes(
            scaled,
            corners,
            [box.text(width) for box, width in zip(boxes, (corners[:, 2] - corners[:, 0]).tolist(), strict=True)],
            [box.colour for box in boxes],
            width=2,
            font=FONT,
            font_size=12,
            label_colors='black',
            fill_labels=True,
        )
    return to_pil_image(scaled)
