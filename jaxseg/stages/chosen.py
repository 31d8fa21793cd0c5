"""The decoder of a configuration with its options, those among them that were tuned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from jaxseg.config import Config
from jaxseg.decoding import DECODERS, row_of, with_tuned
from jaxseg.decoding.table import DecoderSpec
from jaxseg.errors import InputError
from jaxseg.runs.layout import TUNED, Run


class Chosen(NamedTuple):
    """A decoder and its options.

    Parameters
    ----------
    row : the decoder
    options : of it
    tuned : those among them that were found by tuning, by name
    """

    row: DecoderSpec
    options: Any
    tuned: dict[str, Any]


def chosen_decoder(config: Config) -> Chosen:
    """The decoder and its options as the configuration gives them.

    Raises
    ------
    ConfigError : there is no such decoder, or it needs other channels
    """
    row = row_of(config.channels, config.decoder)
    ours = DECODERS.get(row.name) is row
    return Chosen(row, getattr(config, row.name) if ours else row.options, {})


def tuned_decoder(config: Config, run: Run) -> Chosen:
    """The decoder with the options that were tuned for the network, unless given by hand.

    Parameters
    ----------
    config : of the run
    run : beside whose checkpoint they are, or else beside the one that the configuration names

    Raises
    ------
    InputError : the file cannot be read, or is of another decoder's options
    """
    row, options, _ = chosen_decoder(config)
    files = [run.tuned]
    if config.predict.checkpoint:
        files.append(Path(config.predict.checkpoint) / TUNED)
    file = next((file for file in files if file.is_file()), None)
    if file is None or not config.tune.use:
        return Chosen(row, options, {})
    try:
        stored = json.loads(file.read_text())
        found = stored["options"] if stored["decoder"] == row.name else {}
        better = with_tuned(options, found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = "--phases tune --overwrite, or --tune.no-use"
        raise InputError(f"not a file of tuned options: {error}", where=file, fix=fix) from error
    return Chosen(row, better, {name: getattr(better, name) for name in sorted(found)})


def versions_of_planes(config: Config, run: Run, digest: str) -> dict[str, Any]:
    """What decoding reads beside the configuration: the planes, and options that were tuned.

    Parameters
    ----------
    config, run : as for :func:`tuned_decoder`
    digest : of the prediction
    """
    found = tuned_decoder(config, run).tuned
    return {"upstream": digest} | {f"tuned.{name}": value for name, value in found.items()}
