"""The network to pretrain: backbone, classifier, and auxiliary heads if the config has them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel, ModuleList
from mmengine.optim import OptimWrapper
from torch import Tensor

from auglocal_mm.backbones import BackboneAdapter, adapt
from auglocal_mm.backbones.adapter import check_chain
from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalLayer, LocalModule, local_modules
from auglocal_mm.local.partition import resolve_split_points
from auglocal_mm.local.recompute import join_segments, resolve_segments
from auglocal_mm.local.shapes import feature_shapes
from auglocal_mm.local.state import State, Targets
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.registry import MODELS

PARTITION_KEYS = ('chain', 'num_local_modules', 'split_points', 'last_module_layers')
RENAMED = {'cut_points': 'split_points'}


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """A classifier trained by backpropagation, or layer by layer if ``AugLocalHook`` replaces its training step.

    Args:
        backbone: Config of a backbone, whose last output is classified.
        head: Config of the primary classifier, which can read taps of the backbone; ``in_channels`` is optional.
        auxiliary_heads: Config of the heads of all local modules but the last. ``None`` for backpropagation.
        partition: ``num_local_modules``, ``split_points`` or ``last_module_layers`` (see
            :func:`auglocal_mm.local.partition.resolve_split_points`), and ``chain``, the module paths of a backbone that does
            not define its own.
        checkpointed: Local layers whose activations are recomputed in backward instead of saved: names, pairs of names
            for segments, ``{'norms': name}`` to recompute norms, activations and pooling only, or ``'all'`` or ``'norms'``
            for every layer.
        image_size: Side of the training images in pixels; the structure of some heads depends on it.
        channels_last: Whether convolutions run in PyTorch's channels-last layout, which is faster on tensor cores and CPUs.
            They take it from their weights, so the images need no conversion.
        data_preprocessor: Config of the preprocessor, see :class:`mmengine.model.ImgDataPreprocessor`.

    Raises:
        InputError: A key is out of range, the local layers do not compute what the backbone computes, or a head reads a tap
            that the backbone does not have.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        head: dict[str, Any],
        auxiliary_heads: dict[str, Any] | None = None,
        partition: dict[str, Any] | None = None,
        checkpointed: Sequence[str | Sequence[str] | Mapping[str, str]] | str = (),
        image_size: int = 224,
        channels_last: bool = True,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.backbone = MODELS.build(backbone)
        options = _known_options(partition or {})
        self._paths = options.pop('chain', None)
        self._read: set[str] = set()
        layers = self.layers
        names = [layer.name for layer in layers]
        self.shapes = feature_shapes(layers, image_size, self.adapter.channel_dim)
        check_chain(layers, self.backbone, image_size)
        self.image_size = image_size
        self.segments = resolve_segments(names, checkpointed)
        self.head = MODELS.build({'in_channels': self.shapes[-1].channels, **head})
        self.auxiliary_heads: ModuleList | None = None
        self.split_points: list[int] = []
        if auxiliary_heads is not None:
            self.split_points = resolve_split_points(names, **options)
            given = data_preprocessor or {}
            # A preprocessor without mean and std passes pixel values on unchanged.
            neutral = {'mean': [0.0] * 3, 'std': [1.0] * 3} if given else {}
            normalisation = {key: given.get(key) or value for key, value in neutral.items()}
            # Heads draw from a fork of the generator, so that every method starts from the same primary network.
            with torch.random.fork_rng(devices=[]):
                self.auxiliary_heads = ModuleList(
                    self._build_auxiliary_head(auxiliary_heads, layers, m, normalisation)
                    for m in range(len(self.split_points))
                )
        elif options:
            raise InputError(
                f'model.partition sets {", ".join(options)}, but model.auxiliary_heads is missing; give both or neither'
            )
        self._read = {tap for each in (self.head, *(self.auxiliary_heads or [])) for tap in getattr(each, 'taps', ())}
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.to(memory_format=self.layout)
        self.train()

    def init_weights(self) -> None:
        """Initialises all weights to the same values in every layout: random numbers fill tensors in memory order."""
        self.to(memory_format=torch.contiguous_format)
        super().init_weights()
        self.to(memory_format=self.layout)

    def _build_auxiliary_head(
        self, config: dict[str, Any], layers: list[LocalLayer], module: int, normalisation: dict[str, Any]
    ) -> AuxiliaryHead:
        placement = Placement(
            layers,
            self.shapes,
            self.split_points[module],
            module,
            len(self.split_points) + 1,
            self.head.num_classes,
            **normalisation,
        )
        return MODELS.build({**config, 'placement': placement})

    @property
    def adapter(self) -> BackboneAdapter:
        """How the backbone is partitioned."""
        return adapt(self.backbone) if self._paths is None else BackboneAdapter(self.backbone, self._paths)

    @property
    def layers(self) -> list[LocalLayer]:
        """The current local layers: SyncBatchNorm, for example, replaces BatchNorm after construction."""
        return self.adapter.local_layers(self._read)

    def train(self, mode: bool = True) -> 'ImageClassifier':
        """Switches to training or evaluation, and takes the current layers for forward."""
        self._chain = join_segments(self.layers, self.segments)
        return super().train(mode)

    def local_modules(self) -> list[LocalModule]:
        """The chain of local modules; without auxiliary heads a single one, the whole network."""
        return local_modules(self.layers, self.split_points, [*(self.auxiliary_heads or []), self.head], self.segments)

    def forward(self, inputs: Tensor, data_samples: Tensor | None = None, mode: str = 'tensor') -> Any:
        """Runs the primary network; auxiliary heads are unused.

        Args:
            inputs: Normalised images (N, 3, H, W).
            data_samples: Labels (N,).
            mode: ``'tensor'`` gives logits (N, classes), ``'loss'`` the primary classifier's losses, ``'predict'`` a list
                of N dicts ``pred_scores`` (classes,) and, with labels, ``gt_label``.
        """
        state = State(inputs)
        for layer in self._chain:
            state = layer(state)
        if mode == 'loss':
            return self.head.loss(state, Targets(data_samples, inputs))
        logits = self.head.logits(state)
        if mode == 'tensor':
            return logits
        predictions = [{'pred_scores': scores} for scores in logits.float().softmax(dim=1)]
        if data_samples is not None:
            for prediction, label in zip(predictions, data_samples.tolist(), strict=True):
                prediction['gt_label'] = label
        return predictions

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """One iteration of backpropagation. ``AugLocalHook`` replaces it with the local step.

        Raises:
            InputError: There are auxiliary heads, but no hook to train them.
        """
        if self.auxiliary_heads is not None:
            raise InputError(
                "model.auxiliary_heads is given, but nothing trains it; add custom_hooks=[dict(type='AugLocalHook')] to "
                'the config, or remove model.auxiliary_heads to train by backpropagation'
            )
        return super().train_step(data, optim_wrapper)


def is_classifier(model: Mapping[str, Any]) -> bool:
    """Whether a config's ``model`` is an :class:`ImageClassifier` or a subclass, under any name."""
    kind = model.get('type')
    cls = MODELS.get(kind) if isinstance(kind, str) else kind
    return isinstance(cls, type) and issubclass(cls, ImageClassifier)


def _known_options(partition: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(partition) - set(PARTITION_KEYS))
    for old in set(unknown) & set(RENAMED):
        raise InputError(f'model.partition.{old} is now model.partition.{RENAMED[old]}; rename the key')
    if unknown:
        raise InputError(f'model.partition has no key {unknown[0]!r}; expected some of {", ".join(PARTITION_KEYS)}')
    return dict(partition)
