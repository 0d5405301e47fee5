import numpy as np
import pytest
import torch
from torch.nn import functional

from auxrnn.targets.losses import pixel_loss, softmax_loss, squared_loss


def test_softmax_loss_equals_torch_and_the_logarithm_by_hand() -> None:
    logits, targets = torch.randn(2, 5, 7, dtype=torch.float64), torch.randint(7, (2, 5))
    found = softmax_loss(logits, targets)
    shares = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(-1, keepdims=True)
    by_hand = -np.log(np.take_along_axis(shares, targets.numpy()[..., None], -1)[..., 0])
    np.testing.assert_allclose(found.numpy(), by_hand, rtol=1e-10)
    torch.testing.assert_close(found.mean(), functional.cross_entropy(logits.flatten(0, 1), targets.flatten()))


def test_softmax_loss_of_equal_logits_is_log_of_their_number() -> None:
    torch.testing.assert_close(
        softmax_loss(torch.zeros(3, 256), torch.tensor([0, 17, 255])), torch.full((3,), 5.545177)
    )


def test_pixel_loss_sums_over_channels() -> None:
    logits, pixels = torch.randn(2, 5, 3, 256), torch.randint(256, (2, 5, 3), dtype=torch.uint8)
    by_channel = sum(softmax_loss(logits[..., c, :], pixels[..., c]) for c in range(3))
    found = pixel_loss(logits, pixels)
    assert found.shape == (2, 5)
    torch.testing.assert_close(found, by_channel)


def test_squared_loss_sums_over_channels() -> None:
    found = squared_loss(torch.tensor([[1.0, 2.0], [0.0, 0.5]]), torch.tensor([[0.0, 4.0], [0.0, 0.0]]))
    assert found.tolist() == [5.0, 0.25]  # 1 + 4 and 0 + 1/4


def test_all_are_unreduced_and_each_element_knows_its_own_token_alone() -> None:
    logits = torch.randn(4, 7, requires_grad=True)
    loss = softmax_loss(logits, torch.tensor([0, 1, 2, 3]))
    assert loss.shape == (4,)
    (gradient,) = torch.autograd.grad(loss[2], logits)
    assert gradient.any(-1).tolist() == [False, False, True, False]


@pytest.mark.parametrize("loss", [softmax_loss, pixel_loss, squared_loss])
def test_refuse_shapes_that_would_broadcast(loss) -> None:
    with pytest.raises(ValueError, match="Expected targets of shape"):
        loss(torch.zeros(2, 5, 3, 3), torch.zeros(1, 5, 3, dtype=torch.int64))
