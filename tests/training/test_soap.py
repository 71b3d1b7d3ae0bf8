"""SOAP, compared with Adam where both are equal; memory of SOAP and of the sweeps."""

import pytest
import torch

from sinefield.training.optimizers.soap import ADAM_STEPS, BETAS, EPS, WARMUP_STEPS, Soap, averaged_weights


def test_soap_begins_as_adam_with_a_rising_learning_rate():
    generator = torch.Generator().manual_seed(0)
    start, target = torch.rand(20, 30, generator=generator), torch.rand(20, 30, generator=generator)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    soap, adam = Soap([ours], lr=0.1), torch.optim.Adam([theirs], lr=0.1, betas=BETAS, eps=EPS)
    for step in range(1, ADAM_STEPS):
        adam.param_groups[0]["lr"] = 0.1 * step / WARMUP_STEPS
        for parameter, optimizer in ((ours, soap), (theirs, adam)):
            parameter.grad = parameter.detach() - target
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_learning_rate_rises_is_constant_and_falls():
    weight = torch.nn.Parameter(torch.zeros(5))
    soap, rates = Soap([weight], lr=0.1, decay_start=60), {}
    for step in range(1, 241):
        before, weight.grad = weight.detach().clone(), torch.ones(5)  # Adam's direction is 1
        soap.step()
        rates[step] = float((before - weight.detach()).mean())
    expected = {5: 0.1 * 5 / WARMUP_STEPS, 30: 0.1, 60: 0.1, 240: 0.1 * (60 / 240) ** 0.75}
    assert {step: rates[step] for step in expected} == pytest.approx(expected, rel=1e-3)


def test_the_average_of_the_weights_is_evaluated_for_a_while():
    weight = torch.nn.Parameter(torch.ones(3, 4))
    soap = Soap([weight], lr=0.1)
    for _ in range(5):
        weight.grad = torch.ones(3, 4)
        soap.step()
    now = weight.detach().clone()
    with averaged_weights(soap):
        assert (weight > now).all()
    assert torch.equal(weight, now)


def test_a_jet_whose_workspace_was_used_again_says_so():
    from sinefield import Siren, propagate
    from sinefield.jets import Workspace

    siren, x, space = Siren(2, 1, width=16), torch.rand(9, 2), Workspace()
    alone = propagate(siren, x, 2)
    first, second = (propagate(siren, x, 2, space=space) for _ in range(2))
    assert torch.equal(first.laplacian, alone.laplacian)
    second.laplacian.sum().backward()
    with pytest.raises(RuntimeError, match="used again"):
        first.laplacian.sum().backward()
