"""Networks x ↦ Φ(x): sine networks, the networks they are compared with, and networks of networks."""

from sinefield.networks.activations import ACTIVATIONS as ACTIVATIONS
from sinefield.networks.activations import register_activation as register_activation
from sinefield.networks.baselines import Finer as Finer
from sinefield.networks.baselines import GaussianNet as GaussianNet
from sinefield.networks.baselines import PositionalReluNet as PositionalReluNet
from sinefield.networks.baselines import RbfNet as RbfNet
from sinefield.networks.baselines import ReluNet as ReluNet
from sinefield.networks.baselines import SoftplusNet as SoftplusNet
from sinefield.networks.baselines import TanhNet as TanhNet
from sinefield.networks.baselines import Wire as Wire
from sinefield.networks.concat import Concat as Concat
from sinefield.networks.encoders import ENCODERS as ENCODERS
from sinefield.networks.encoders import ConvolutionalEncoder as ConvolutionalEncoder
from sinefield.networks.encoders import SetEncoder as SetEncoder
from sinefield.networks.hard_constraint import HardConstraint as HardConstraint
from sinefield.networks.hypernetwork import HEADS as HEADS
from sinefield.networks.network import Network as Network
from sinefield.networks.network import Perceptron as Perceptron
from sinefield.networks.on_domain import OnDomain as OnDomain
from sinefield.networks.siren import Siren as Siren
from sinefield.networks.stacked import StackedNetworks as StackedNetworks
