"""Writes the demo's data: scikit-learn's handwritten digits as an image folder, and scenes of several digits as COCO."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from sklearn.datasets import load_digits

DIGIT_SIZE = 32
SCENE_SIZE = 96
NUM_SCENES = {'train': 240, 'val': 80}
VALIDATION_EVERY = 5  # every fifth scan is held out


def make_data(root: Path) -> None:
    """Writes ``digits/{train,val}/<class>/*.png``, ``scenes/{train,val}/*.png`` and ``scenes/{train,val}.json`` to ``root``.

    The files are the same every time. The folder is created atomically; an existing one is kept.
    """
    if root.is_dir():
        return
    unfinished = root.with_name(f'{root.name}.unfinished')
    shutil.rmtree(unfinished, ignore_errors=True)
    scans = load_digits()
    held_out = np.arange(len(scans.images)) % VALIDATION_EVERY == 0
    for seed, (split, chosen) in enumerate({'train': ~held_out, 'val': held_out}.items()):
        digits = [_enlarge(image, DIGIT_SIZE) for image in scans.images[chosen]]
        labels = scans.target[chosen]
        _write_digits(unfinished / 'digits' / split, digits, labels)
        _write_scenes(unfinished / 'scenes', split, scans.images[chosen], labels, np.random.default_rng(seed))
    unfinished.rename(root)


def _enlarge(scan: np.ndarray, size: int) -> np.ndarray:
    """A scan of 8x8 with ink from 0 to 16 as ``size`` x ``size`` pixels from 0 to 255."""
    pixels = Image.fromarray((scan * 255 / 16).astype(np.uint8))
    return np.asarray(pixels.resize((size, size), Image.Resampling.BICUBIC))


def _write_digits(folder: Path, digits: list[np.ndarray], labels: np.ndarray) -> None:
    for index, (digit, label) in enumerate(zip(digits, labels, strict=True)):
        path = folder / str(label) / f'{index:04}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digit).save(path)


def _write_scenes(folder: Path, split: str, scans: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> None:
    """Writes the images and the annotations of one split in COCO format."""
    (folder / split).mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id in range(1, NUM_SCENES[split] + 1):
        pixels, objects = _compose(scans, labels, rng)
        name = f'{image_id:04}.png'
        Image.fromarray(pixels).save(folder / split / name)
        images.append({'id': image_id, 'file_name': name, 'width': SCENE_SIZE, 'height': SCENE_SIZE})
        for label, mask in objects:
            annotations.append(_annotation(len(annotations) + 1, image_id, label, mask))
    categories = [{'id': digit + 1, 'name': str(digit)} for digit in range(10)]
    coco = {'images': images, 'annotations': annotations, 'categories': categories}
    (folder / f'{split}.json').write_text(json.dumps(coco), encoding='utf-8')


def _compose(
    scans: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """Places 3 to 5 digits of 24 to 36 pixels on a noisy background, dropping any that would overlap."""
    scene = rng.normal(20, 10, (SCENE_SIZE, SCENE_SIZE)).clip(0, 255)
    taken = np.zeros((SCENE_SIZE, SCENE_SIZE), dtype=bool)
    objects: list[tuple[int, np.ndarray]] = []
    for index in rng.integers(0, len(scans), rng.integers(3, 6)):
        size = int(rng.integers(24, 37))
        for _ in range(20):
            top, left = rng.integers(0, SCENE_SIZE - size + 1, 2)
            place = np.s_[top : top + size, left : left + size]
            if not taken[place].any():
                break
        else:
            continue
        ink = _enlarge(scans[index], size)
        taken[place] = True
        scene[place] = np.maximum(scene[place], ink)
        mask = np.zeros_like(taken)
        mask[place] = ink > 64
        objects.append((int(labels[index]), mask))
    return scene.astype(np.uint8), objects


def _annotation(annotation_id: int, image_id: int, label: int, mask: np.ndarray) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        'id': annotation_id,
        'image_id': image_id,
        'category_id': label + 1,
        'segmentation': {'size': encoded['size'], 'counts': encoded['counts'].decode()},
        'bbox': coco_mask.toBbox(encoded).tolist(),
        'area': float(coco_mask.area(encoded)),
        'iscrowd': 0,
    }
