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

from exporter.demo.settings import SttSettings
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
i want to know how much does it cost
please stop it
"""
"""What callers say, one sentence a line; the language model is counted from it."""

_RATE = 16_000
_LANGUAGE_WEIGHT = 9.0
_SILENCE_S = 0.2
_SILENT = 200
_WRONG, _INSERTED = "banana", "zebra"
"""Words of no phrase."""


class Recognizer:
    """A speech recogniser. Any thread may call it; one utterance is recognised at a time."""

    def __init__(self) -> None:
        """Load the models, which takes some tenths of a second."""
        with tempfile.TemporaryDirectory() as folder:
            model, words = Path(folder) / "phrases.lm", Path(folder) / "phrases.dict"
            with model.open("w", encoding="utf-8") as out:
                _language_model().write(out)
            words.write_text("".join(_pronunciations()), encoding="utf-8")
            self._decoder = Decoder(
                samprate=_RATE,
                lm=str(model),
                dict=str(words),
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


def misheard(heard: str, settings: SttSettings) -> str:
    """Return the words with as many errors as the settings ask for, or as they allow.

    Insertions are at the begin and deletions at the end: a word error rate counts exactly these
    errors, as long as more words are right than are inserted or deleted.
    """
    words = heard.split()
    kept = words[: max(0, len(words) - settings.deleted)]
    wrong = min(settings.substituted, len(kept))
    return " ".join([_INSERTED] * settings.inserted + [_WRONG] * wrong + kept[wrong:])


def _pronunciations() -> list[str]:
    """Return the lines of the shipped dictionary for our words; all of it takes seconds to load."""
    words = set(PHRASES.split())
    with Path(get_model_path("en-us/cmudict-en-us.dict")).open(encoding="utf-8") as lines:
        # A second pronunciation of a word stands under `word(2)`.
        return [line for line in lines if line.split(" ", 1)[0].partition("(")[0] in words]


def _language_model() -> ArpaBoLM:
    model = ArpaBoLM(text=PHRASES.strip(), add_start=True)
    model.compute()
    return model
