"""The network that is pretrained: backbone, classifier, and auxiliary heads if the config names them."""

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

PARTITION_KEYS = ('chain', 'num_local_modules', 'cut_points', 'last_module_layers')


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """A classifier that learns by backpropagation, or layer by layer once ``AugLocalHook`` takes its training step.

    Args:
        backbone: Config of a backbone; its last output is classified.
        head: Config of the primary classifier; ``in_channels`` may be left out. It may read taps of the backbone.
        auxiliary_heads: Config of the heads of all local modules but the last. ``None`` for backpropagation.
        partition: ``num_local_modules``, ``cut_points`` or ``last_module_layers`` (see
            :func:`auglocal_mm.local.partition.resolve_split_points`), and ``chain``, the module paths of a backbone that does
            not define its own.
        checkpointed: Names of local layers whose activations are recomputed in backward instead of saved, pairs of names
            for segments of layers, ``{'norms': name}`` for norms alone, or ``'all'`` or ``'norms'`` for each by itself.
        image_size: Side of the training images, on which the structure of some heads depends.
        channels_last: Whether convolutions run in PyTorch's channels-last layout, which tensor cores and CPUs prefer; a
            convolution takes it over from its weights, so that images need no conversion.
        data_preprocessor: Config, see :class:`mmengine.model.ImgDataPreprocessor`.

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
        self.shapes = feature_shapes(self.layers, image_size, self.adapter.channel_dim)
        check_chain(self.layers, self.backbone, image_size)
        self.segments = resolve_segments([layer.name for layer in self.layers], checkpointed)
        self.head = MODELS.build({'in_channels': self.shapes[-1].channels, **head})
        self.auxiliary_heads: ModuleList | None = None
        self.cuts: list[int] = []
        if auxiliary_heads is not None:
            self.cuts = resolve_split_points([layer.name for layer in self.layers], **options)
            given = data_preprocessor or {}
            # A preprocessor without them hands on bytes as they are.
            neutral = {'mean': [0.0] * 3, 'std': [1.0] * 3} if given else {}
            normalisation = {key: given.get(key) or value for key, value in neutral.items()}
            # The heads draw from a fork of the generator: the primary network starts the same under every rule.
            with torch.random.fork_rng(devices=[]):
                self.auxiliary_heads = ModuleList(
                    self._build_auxiliary_head(auxiliary_heads, m, normalisation) for m in range(len(self.cuts))
                )
        elif options:
            raise InputError(
                'model.partition cuts the network, but model.auxiliary_heads is missing; give both or neither'
            )
        self._read = {tap for each in (self.head, *(self.auxiliary_heads or [])) for tap in getattr(each, 'taps', ())}
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        self.to(memory_format=self._layout)
        self.train()

    def init_weights(self) -> None:
        """Initialises all weights, the same ones in every layout: random numbers fill them in the order of memory."""
        self.to(memory_format=torch.contiguous_format)
        super().init_weights()
        self.to(memory_format=self._layout)

    def _build_auxiliary_head(
        self, config: dict[str, Any], module: int, normalisation: dict[str, Any]
    ) -> AuxiliaryHead:
        placement = Placement(
            self.layers,
            self.shapes,
            self.cuts[module],
            module,
            len(self.cuts) + 1,
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
        """The local layers as they are now: SyncBatchNorm, for one, is put in the place of BatchNorm after construction."""
        return self.adapter.local_layers(self._read)

    def train(self, mode: bool = True) -> 'ImageClassifier':
        """Switches to training or evaluation, and forward to the layers as they are now."""
        self._chain = join_segments(self.layers, self.segments)
        return super().train(mode)

    def local_modules(self) -> list[LocalModule]:
        """The chain of local modules; one module, the whole network, where there are no auxiliary heads."""
        return local_modules(self.layers, self.cuts, [*(self.auxiliary_heads or []), self.head], self.segments)

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
        """One iteration of backpropagation. ``AugLocalHook`` puts the local step in its place.

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
    """Whether a config's ``model`` is an :class:`ImageClassifier`, or a subclass, by whichever name."""
    kind = model.get('type')
    cls = MODELS.get(kind) if isinstance(kind, str) else kind
    return isinstance(cls, type) and issubclass(cls, ImageClassifier)


def _known_options(partition: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(partition) - set(PARTITION_KEYS))
    if unknown:
        raise InputError(f'partition has no key {unknown[0]!r}; expected some of {", ".join(PARTITION_KEYS)}')
    return dict(partition)
