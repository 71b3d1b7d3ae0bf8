"""x ↦ Φ(x): sine networks and the networks they are compared with."""

from sinefield.fields.baselines import Finer as Finer
from sinefield.fields.baselines import GaussianNet as GaussianNet
from sinefield.fields.baselines import PositionalReluNet as PositionalReluNet
from sinefield.fields.baselines import RbfNet as RbfNet
from sinefield.fields.baselines import ReluNet as ReluNet
from sinefield.fields.baselines import SoftplusNet as SoftplusNet
from sinefield.fields.baselines import TanhNet as TanhNet
from sinefield.fields.baselines import Wire as Wire
from sinefield.fields.beside import Beside as Beside
from sinefield.fields.condition import Condition as Condition
from sinefield.fields.encoders import ENCODERS as ENCODERS
from sinefield.fields.encoders import ConvolutionalEncoder as ConvolutionalEncoder
from sinefield.fields.encoders import SetEncoder as SetEncoder
from sinefield.fields.hypernetwork import HEADS as HEADS
from sinefield.fields.network import Network as Network
from sinefield.fields.network import Perceptron as Perceptron
from sinefield.fields.population import Population as Population
from sinefield.fields.siren import Siren as Siren

NETWORKS: dict[str, type[Perceptron]] = {
    "sine": Siren,
    "relu": ReluNet,
    "relu-pe": PositionalReluNet,
    "rbf": RbfNet,
    "tanh": TanhNet,
    "softplus": SoftplusNet,
    "gaussian": GaussianNet,
    "finer": Finer,
    "wire": Wire,
}
"""Networks by the name of their activation, as the command line and field files call them."""
