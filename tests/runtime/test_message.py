"""What is unpacked is what was packed, in the same layout in memory."""

import torch

from auglocal_mm.runtime.message import Item, MessageFormat, in_order


def tensors(samples: int) -> list[torch.Tensor]:
    maps = torch.randn(samples, 3, 5, 7)
    return [
        maps.to(memory_format=torch.channels_last),
        maps.bfloat16(),
        torch.arange(samples),
        torch.randn(samples, 4, 1, 1).to(memory_format=torch.channels_last),
        torch.randn(samples, 6, 3).transpose(1, 2),
    ]


def test_values_types_and_layouts_arrive():
    message_format = MessageFormat(tuple(map(Item.of, tensors(4))), batch_size=4)
    for samples in (4, 3, 1):
        sent = tensors(samples)
        message = message_format.pack(sent)
        assert message.shape == (message_format.size,)
        for there, here in zip(message_format.unpack(message), sent, strict=True):
            assert there.dtype == here.dtype and torch.equal(there, here)
            assert samples == 1 or there.stride() == here.stride()


def test_what_has_gaps_is_copied():
    whole = torch.randn(4, 6, 5)
    assert in_order(whole) is whole
    assert in_order(whole.transpose(1, 2)).stride() == whole.transpose(1, 2).stride()
    for part in (whole[:, ::2], whole[:, 0], whole[:, :1].expand(4, 6, 5), whole.transpose(0, 1)):
        assert in_order(part).is_contiguous() and torch.equal(in_order(part), part)
