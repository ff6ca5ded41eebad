"""Images, as classifiers and detectors read them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from auglocal_mm.datasets import ImageFolder, LoadImageFromFile
from fuzz.image_mutations import GIF, JPEG, PNG
from fuzz.mutations import BYTES, Mutator
from fuzz.targets import Sample, Target, digest

FORMATS: dict[str, tuple[tuple[Mutator, ...], dict[str, Any]]] = {
    'a.jpg': (JPEG, {'quality': 90}),
    'progressive.jpeg': (JPEG, {'progressive': True, 'optimize': True}),
    'a.png': (PNG, {}),
    'a.gif': (GIF, {}),
    'a.webp': ((), {'lossless': True}),
    'a.bmp': ((), {}),
    'a.tiff': ((), {'compression': 'tiff_lzw'}),
    'a.ppm': ((), {}),
}
CUT = {'truncate', 'cut_the_end', 'cut_the_start', 'empty', 'become_another_file', 'more_rows'}
"""What every format can tell: that some of it is not there."""


def _may_differ(name: str) -> Any:
    """PNG has checksums; the others tell only that something is missing."""
    return lambda mutant: mutant.name not in CUT and (not name.endswith('.png') or mutant.name == 'fewer_rows')


def images(world: Path) -> list[Sample]:
    generator = np.random.default_rng(2)
    smooth = np.kron(generator.integers(0, 255, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    samples = []
    for name, (own, options) in FORMATS.items():
        written = io.BytesIO()
        Image.fromarray(smooth).save(written, format=Image.registered_extensions()[Path(name).suffix], **options)
        samples.append(Sample(name, written.getvalue(), (*own, *BYTES), _may_differ(name)))
    return samples


def classify(world: Path, name: str, content: bytes) -> Any:
    """The image of a class's folder."""
    Path('data', 'cat').mkdir(parents=True)
    Path('data', 'cat', name).write_bytes(content)
    return digest(ImageFolder('data')[0]['inputs'])


def detect(world: Path, name: str, content: bytes) -> Any:
    """The image of a detector's pipeline."""
    Path(name).write_bytes(content)
    return digest(torch.from_numpy(LoadImageFromFile().transform({'img_path': name})['img']))


TARGETS = (
    Target('image-classified', images, classify, may_tell=True),
    Target('image-detected', images, detect, may_tell=True),
)
