"""Training: a state of arrays, one compiled step, and the loop over epochs."""

from jaxseg.train.loop import Fitted, Folders, fit
from jaxseg.train.record import refuse_unfit
from jaxseg.train.schedule import learning_rate, optimizer
from jaxseg.train.start import transfer
from jaxseg.train.state import State, init_state, place, replicate, variables_of
from jaxseg.train.step import make_eval, make_step, weighted

__all__ = [
    "Fitted",
    "Folders",
    "State",
    "fit",
    "init_state",
    "learning_rate",
    "make_eval",
    "make_step",
    "optimizer",
    "place",
    "refuse_unfit",
    "replicate",
    "transfer",
    "variables_of",
    "weighted",
]
