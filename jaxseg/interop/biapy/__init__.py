"""Networks that were trained with BiaPy 3.7.1.

What we do otherwise, and repeat for its weights alone (``biapy_compatible`` of the network):

- attention_unet: we normalise both branches of a gate, the peer that of the decoder only.
- multiresunet: we normalise a skip connection after the sum, the peer before it as well, with the
  same parameters.
- unext_v2: the response of a channel is taken over the whole space, in the peer over z and y.
- hrnet: our blocks have activations inside, and resizing does not depend on the size of the image.
- stunet: our heads see the feature maps, the peer's no more channels than the first head gives.

Without a switch, for the weights say which it is: the peer's UNETR has no positions
(``position="none"``), its UNeXt halves z in the stem whatever else is set (``z_down``), and flat
kernels there stay flat in all that follows (``isotropic``). Its residual blocks without
normalisation overwrite the input of their shortcut; the peer refuses to train them, and so does the
import.
"""

from jaxseg.interop.biapy.options import network_of
from jaxseg.interop.biapy.tensors import Weights, read
from jaxseg.interop.biapy.weights import convert

__all__ = ["Weights", "convert", "network_of", "read"]
