"""Check that the pre-activations of a deep SIREN have the same standard deviation in every layer before training."""

import torch

import sinefield as sf

DEPTH = 20
"""Hidden layers after the first."""

WIDTH = 512
"""Units in a hidden layer."""

OMEGA = 30.0
"""Frequency factor ω of every layer."""


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    siren = sf.Siren(2, 1, width=WIDTH, depth=DEPTH, omega_hidden=OMEGA, generator=generator)
    x = 2 * torch.rand(4096, 2, generator=generator) - 1
    deviations = []
    with torch.no_grad():
        for weight, bias in zip(siren.weights[:-1], siren.biases[:-1], strict=True):
            weighted = OMEGA * x @ weight.T
            deviations.append(weighted.std().item())
            x = torch.sin(weighted + OMEGA * bias)

    expected = sf.init.preactivation_std(WIDTH, OMEGA)
    for layer in (1, 5, 10, 20):
        print(f"hidden layer {layer:2}: standard deviation of ω W x {deviations[layer]:.3f}, expected {expected:.3f}")
    error = max(abs(each / expected - 1) for each in deviations[1:])
    assert error < 0.1, f"the standard deviation of a layer is off by {error:.1%}; expected less than 10%"


if __name__ == "__main__":
    main()
