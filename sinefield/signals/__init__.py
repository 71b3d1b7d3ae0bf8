"""Files and arrays ⇄ `Signal`."""

from sinefield.signals.array import from_array as from_array
from sinefield.signals.image import SAMPLES as SAMPLES
from sinefield.signals.image import grey as grey
from sinefield.signals.image import read_image as read_image
from sinefield.signals.image import read_mask as read_mask
from sinefield.signals.image import resized as resized
from sinefield.signals.image import write_image as write_image
from sinefield.signals.signal import Crop as Crop
from sinefield.signals.signal import Header as Header
from sinefield.signals.signal import Signal as Signal
from sinefield.signals.signal import cropped as cropped
from sinefield.signals.signal import parse_shape as parse_shape
from sinefield.signals.spectrum import pace as pace
from sinefield.signals.stencils import differences as differences
from sinefield.signals.stencils import estimate_gradient as estimate_gradient
from sinefield.signals.stencils import estimate_laplacian as estimate_laplacian
from sinefield.signals.stencils import line_integrals as line_integrals
from sinefield.signals.stencils import mixed as mixed
