"""How metrics and differences are written in reports."""

NOT_AVAILABLE = 'n/a'


def label(metric: str) -> str:
    """Returns the usual name of a metric: ``segm_mAP_50`` -> ``mask AP50``."""
    kind, _, item = metric.partition('_mAP')
    return f'{"box" if kind == "bbox" else "mask"} AP{item.removeprefix("_")}'


def images(number: int) -> str:
    """Returns the number with its noun: ``1 image``, ``5,000 images``."""
    return f'{number:,} image{"" if number == 1 else "s"}'


def backbones(number: int) -> str:
    """Returns the number with its noun: ``1 backbone``, ``2 backbones``."""
    return f'{number} backbone{"" if number == 1 else "s"}'


def signed(difference: float | None, decimals: int = 1) -> str:
    """Returns a rounded difference with its sign, a true minus (U+2212); zero has none."""
    if difference is None:
        return NOT_AVAILABLE
    rounded = round(difference, decimals)
    return f'{rounded:+.{decimals}f}'.replace('-', '\N{MINUS SIGN}') if rounded else f'{0:.{decimals}f}'
