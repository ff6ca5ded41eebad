"""Where a chain of local layers is split into local modules: names and integers in, integers out."""

from collections.abc import Sequence

from auglocal_mm.errors import InputError


def resolve_split_points(
    names: Sequence[str],
    num_local_modules: int | None = None,
    split_points: Sequence[int | str] | None = None,
    last_module_layers: int = 1,
) -> list[int]:
    """The split points of the chain, each as the number of local layers before it: K - 1 ascending integers below L.

    Args:
        names: The names of all L local layers.
        num_local_modules: K, from 1 (BP) to L. Lengths differ by at most one layer. Default: as many as possible.
        split_points: Instead, the local layers to split after, by number from 1 or by name: ``[1, 5]``, ``['stem', 'layer2.0']``.
        last_module_layers: Local layers of the last module ("trimming"). The paper's tables on small images set it to d.

    Raises:
        InputError: K is out of range, split points are unknown or not ascending, or both ways are given at once.
    """
    total = len(names)
    if split_points is not None:
        if num_local_modules is not None or last_module_layers != 1:
            raise InputError(
                'split_points cannot be combined with num_local_modules or last_module_layers; keep one of them'
            )
        return _explicit_split_points(names, split_points)
    if not isinstance(last_module_layers, int) or not 1 <= last_module_layers <= total:
        raise InputError(
            f'last_module_layers is {last_module_layers!r}; expected 1 to {total}, the number of local layers'
        )
    trainable = total - last_module_layers  # local layers before the last module
    modules = trainable + 1 if num_local_modules is None else num_local_modules
    if not isinstance(modules, int) or not 1 <= modules <= trainable + 1:
        raise InputError(
            f'num_local_modules is {modules!r}; expected 1 (BP) to {trainable + 1}, one for each local layer'
            + (f' before the last module of {last_module_layers}' if last_module_layers > 1 else '')
        )
    if last_module_layers > 1 and modules > 1:
        return [trainable * k // (modules - 1) for k in range(1, modules)]
    return [total * k // modules for k in range(1, modules)]


def _explicit_split_points(names: Sequence[str], split_points: Sequence[int | str]) -> list[int]:
    if not isinstance(split_points, Sequence) or isinstance(split_points, str):
        raise InputError(f'split_points is {split_points!r}; expected a list of local layers, by number or by name')
    for layer in split_points:
        if layer not in (names if isinstance(layer, str) else range(1, len(names))):
            raise InputError(
                f'split_points has the unknown local layer {layer!r}; expected 1 to {len(names) - 1} or one of '
                f'{", ".join(names[:-1])}'
            )
    lengths = [names.index(layer) + 1 if isinstance(layer, str) else layer for layer in split_points]
    if lengths != sorted(set(lengths)) or len(names) in lengths:
        raise InputError(
            f'split_points is {list(split_points)}; expected ascending local layers before the last one, each once'
        )
    return lengths
