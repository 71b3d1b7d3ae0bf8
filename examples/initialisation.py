"""At the start a sine network passes on the same at every depth. Run: python examples/initialisation.py"""

import torch

import sinefield as sf

DEPTH, WIDTH, OMEGA = 20, 512, 30.0


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    siren = sf.Siren(2, 1, width=WIDTH, depth=DEPTH, omega_hidden=OMEGA, generator=generator)
    x = 2 * torch.rand(4096, 2, generator=generator) - 1
    spread = []
    with torch.no_grad():
        for weight, bias in zip(siren.weights[:-1], siren.biases[:-1], strict=True):
            through = OMEGA * x @ weight.T
            spread.append(through.std().item())
            x = torch.sin(through + OMEGA * bias)

    expected = sf.init.preactivation_std(WIDTH, OMEGA)
    for layer in (1, 5, 10, 20):
        print(f"hidden layer {layer:2}: ω W x has a standard deviation of {spread[layer]:.3f}, expected {expected:.3f}")
    off = max(abs(each / expected - 1) for each in spread[1:])
    assert off < 0.1, f"a layer's standard deviation is off by {off:.1%}; it should be less than 10%"


if __name__ == "__main__":
    main()
