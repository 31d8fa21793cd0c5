"""The channel table, and what follows from it for a list of channels.

Everything the library knows about a representation stands in one row of :data:`CHANNELS`; a list
of channels, made with :func:`jaxseg.ch`, is laid out, computed, linked, compared and turned by the
functions here, which know no channel by name.
"""

from jaxseg.channels.layout import Columns, activate, columns, kinds, ndim_of
from jaxseg.channels.learning import loss_of, true_planes
from jaxseg.channels.objective import loss_parts, metric_parts
from jaxseg.channels.planes import encode, encode_masked
from jaxseg.channels.spec import ChannelSpec, Joint, Roles
from jaxseg.channels.table import CHANNELS, affinity_offsets, spec_of
from jaxseg.config import ch

__all__ = [
    "CHANNELS",
    "ChannelSpec",
    "Columns",
    "Joint",
    "Roles",
    "activate",
    "affinity_offsets",
    "ch",
    "columns",
    "encode",
    "encode_masked",
    "kinds",
    "loss_of",
    "loss_parts",
    "metric_parts",
    "ndim_of",
    "spec_of",
    "true_planes",
]
