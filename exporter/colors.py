"""The colours of what is drawn: the same in pictures, on pages and on dashboards.

They are told apart by people who see few colours (Okabe and Ito's palette), on white and on black.
"""

from collections.abc import Mapping

CALLER, AGENT = "#0072b2", "#d55e00"
"""The speech of each side of a call."""
COMPONENTS: Mapping[str, str] = {
    "transcription": "#56b4e9",
    "end_of_turn": "#e69f00",
    "on_user_turn_completed": "#7a5195",
    "llm": "#009e73",
    "tools": "#a6761d",
    "first_sentence": "#f0e442",
    "tts": "#cc79a7",
    "transport": "#8c959f",
}
"""By the name of the component, in the order in which a turn goes through them."""
