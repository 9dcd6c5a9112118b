"""Recognise: samples to text, by pocketsphinx with a language model made for calls like ours.

The general model that pocketsphinx ships expects dictated English and hears little in synthetic
speech. The model here is small: it knows the words of PHRASES and how they follow each other,
so it hears any sentence made of them, and nothing else.
"""

import tempfile
import threading
from pathlib import Path

import numpy as np
from pocketsphinx import Decoder, get_model_path
from pocketsphinx.lm import ArpaBoLM

from exporter.demo.speech import Sound

PHRASES = """
hello
good morning
good evening
how are you
how are you today
thank you
thank you very much
yes
yes please
no
no thank you
goodbye
what time is it
what time is it now
please tell me the time
what are your opening hours
please tell me your opening hours
when do you open
when do you close
where is my order
my order has not arrived
my order has not arrived yet
i need help with my order
i want to cancel my order
i need help with my account
i need help
can you help me
please help me
i want to make an appointment
i want to book a table for two
i want to know the price
how much does it cost
please connect me to support
please call me back tomorrow
i want to speak to a person
"""
"""What callers say, one sentence a line; the language model is counted from it."""

_RATE = 16_000
_LANGUAGE_WEIGHT = 9.0
_SILENCE_S = 0.2
_SILENT = 200


class Recognizer:
    """A speech recogniser. Any thread may call it; one utterance is recognised at a time."""

    def __init__(self) -> None:
        """Load the models."""
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "phrases.lm"
            with model.open("w", encoding="utf-8") as out:
                _language_model().write(out)
            words = _write_dictionary(Path(folder) / "phrases.dict")
            self._decoder = Decoder(
                dict=str(words),
                samprate=_RATE,
                lm=str(model),
                lw=_LANGUAGE_WEIGHT,
                loglevel="FATAL",
            )
        self._lock = threading.Lock()

    def transcribe(self, sound: Sound) -> str:
        """Return the words in lower case; "" when none was heard."""
        heard = sound.resampled(_RATE).padded(_SILENCE_S, _SILENCE_S)
        if len(heard.trimmed(_SILENT).samples) == 0:
            return ""  # the decoder finds a word even in nothing
        with self._lock:
            self._decoder.start_utt()
            self._decoder.process_raw(heard.samples.astype(np.int16).tobytes(), full_utt=True)
            self._decoder.end_utt()
            best = self._decoder.hyp()
        return str(best.hypstr) if best is not None else ""


def _language_model() -> ArpaBoLM:
    model = ArpaBoLM(text=PHRASES.strip(), add_start=True)
    model.compute()
    return model


def _write_dictionary(file: Path) -> Path:
    """Write how the words of PHRASES are pronounced, and return the file.

    The model hears no others, and to load all 135,000 of the package takes seconds.
    """
    known = set(PHRASES.split())
    spoken = Path(get_model_path("en-us/cmudict-en-us.dict")).read_text("utf-8").splitlines()
    # A further pronunciation has its number behind the word: `the(2)`.
    lines = (line for line in spoken if line.split()[0].partition("(")[0] in known)
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file
