"""Any signal as one small continuous function, with exact derivatives.

>>> import numpy as np
>>> import sinefield as sf
>>> y, x = np.mgrid[:32, :32] / 32
>>> signal = sf.from_array(np.sin(6 * x) * y, step=(1 / 32, 1 / 32), axes=("y", "x"), units=("m", "m"))
>>> field = sf.fit(signal, width=64, depth=1, steps=300)
>>> field.made["psnr_db"] > 30
True
>>> field([0.5, 0.25]).shape, field.gradient([0.5, 0.25]).shape, field.laplacian([0.5, 0.25]).shape
(torch.Size([1]), torch.Size([1, 2]), torch.Size([1]))
>>> field.render(scale=4).shape
(128, 128)
"""

import lazy_loader

# Nothing is imported before it is used, so that `sinefield --help` need not wait for torch; the names are in the stub.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
