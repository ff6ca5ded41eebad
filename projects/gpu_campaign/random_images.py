"""Random data in place of the real ones, to see that everything works."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ('cat', 'dog', 'emu')
NUMBER = 8
"""Images of each class, in each split."""


def class_folders(folder: Path, splits: tuple[str, str], side: int = 32) -> Path:
    """Writes ``folder/<split>/<class>/*.JPEG``, each class in its colour."""
    generator = np.random.default_rng(0)
    for split in splits:
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            for index in range(NUMBER):
                pixels = generator.integers(0, 160, (side, side, 3), dtype=np.uint8)
                pixels[..., label] += 95
                Image.fromarray(pixels).save(folder / split / name / f'{index}.JPEG')
    return folder
