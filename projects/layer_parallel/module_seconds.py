"""The measured times of local layers and heads, as ``results/module_seconds.json`` has them."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from auglocal_mm.files.json_file import Count, Positive, read_json

PATH = Path(__file__).parent / 'results/module_seconds.json'


class Part(BaseModel):
    """A layer or a head; times in seconds for one image.

    Attributes:
        forward: Of the forward pass, with the loss of a head.
        backward: Of the backward pass, with the gradient of the input.
        parameters: Number of parameters.
    """

    forward: Positive
    backward: Positive
    parameters: Count

    @property
    def total(self) -> float:
        """Seconds of both passes."""
        return self.forward + self.backward


class Layer(Part):
    """A local layer.

    Attributes:
        name: Its name.
        start_backward: Seconds of the backward pass if the layer is the first of a module, whose input needs no gradient.
        output: Bytes of the output for one image, in float32.
    """

    name: str
    start_backward: Positive
    output: Count


class Network(BaseModel):
    """The parts of a network.

    Attributes:
        layers: Its local layers.
        classifier: The primary classifier.
        heads: For each kind, the head after each local layer but the last.
    """

    layers: list[Layer]
    classifier: Part
    heads: dict[str, list[Part]]

    def with_half_features(self) -> 'Network':
        """The same, with features in bfloat16, as they are sent in mixed precision."""
        layers = [layer.model_copy(update=dict(output=layer.output // 2)) for layer in self.layers]
        return self.model_copy(update=dict(layers=layers))


class Measurement(BaseModel):
    """Measured networks, and how they were measured.

    Attributes:
        machine: The processor, the threads and the version of PyTorch.
        image_size: Side of the images in pixels.
        rounds: How often each part was timed.
        batch_sizes: For each kind of head, the images in an iteration; those of the first kind for layers too.
        networks: By name.
    """

    machine: dict[str, Any]
    image_size: Count
    rounds: Count
    batch_sizes: dict[str, Count]
    networks: dict[str, Network]


def read_measurement() -> Measurement:
    """The content of ``results/module_seconds.json``.

    Raises:
        InputError: It has another content.
    """
    return read_json(PATH, Measurement, 'restore it, or run measure.py')
