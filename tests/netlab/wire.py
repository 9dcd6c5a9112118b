"""The two ends of a turn, by the packets that carried them and by nothing of the caller's.

Opus packets hold 20 ms. A packet leaves when its last sample has been captured, so speech that
fills a share of its last packet ended before that packet passed, by the rest of the 20 ms. The
share is known by the level that the sender writes into the header: the sounds here are loud from
their first sample to their last, so half as many samples are 3 dB less.

A sound is heard later than its packet came, by the jitter buffer and by Opus.
"""

import statistics
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.server_api import Server
from tests.netlab.audio import AudioPacket
from tests.netlab.call import Callers, Ends, Placed
from tests.netlab.lab import Audio, NetLab
from tests.plain_agent import RATE, voiced
from tests.plain_agents import plain_agent

DELAY_S = 0.8
"""Of the plain agent."""
PACKET_S = 0.020
OPUS_S = 0.0065
"""Opus looks ahead by 312 samples, and WebRTC does not make up for them (RFC 7845, 4.2)."""
TICK_S = 0.005
"""WebRTC counts the depth of its buffer in whole ticks of 10 ms, from the last one before a packet
came: half of one too much in the mean over calls."""
LOUD_DB = 60
"""Levels are written as dB below full scale: silence is 127, and our sounds are above 40."""
APART_S = 0.3
"""Sounds that are further apart are two."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound in one stream, by its packets."""

    packets: tuple[AudioPacket, ...]

    @property
    def begins_s(self) -> float:
        """When its first loud sample was captured."""
        first, second = self.packets[:2]
        return self._left_s(first) - PACKET_S * _share(first, second)

    @property
    def ends_s(self) -> float:
        """When its last loud sample was captured."""
        before, last = self.packets[-2:]
        return self._left_s(last) - PACKET_S * (1 - _share(last, before))

    def late_s(self, packet: AudioPacket) -> float:
        """Return how much later than the least late of them a packet passed."""
        return packet.passed_s - self._left_s(packet)

    def _left_s(self, packet: AudioPacket) -> float:
        """Return when a packet left, by the one that a busy machine held up least."""
        return packet.stamp / RATE + min(each.passed_s - each.stamp / RATE for each in self.packets)


@dataclass(frozen=True, slots=True)
class Bias:
    """What the caller says of one turn, less what the packets say; seconds."""

    end_s: float
    reply_s: float


def sounds(packets: Sequence[AudioPacket]) -> list[Sound]:
    """Return the sounds of one stream in order, each of at least three packets."""
    loud = [each for each in packets if _level(each) < LOUD_DB]
    runs: list[list[AudioPacket]] = []
    for packet in loud:
        if not runs or packet.passed_s - runs[-1][-1].passed_s > APART_S:
            runs.append([])
        runs[-1].append(packet)
    return [Sound(tuple(run)) for run in runs if len(run) >= 3]


def _share(packet: AudioPacket, whole: AudioPacket) -> float:
    """Return how much of a packet is loud, by the level of its neighbour that is so throughout."""
    return float(min(1.0, 10 ** ((_level(whole) - _level(packet)) / 10)))


def _level(packet: AudioPacket) -> int:
    """Return the level in dB below full scale; 127 where the header has none."""
    return next((value & 0x7F for number, value in packet.extensions if number == 1), 127)


def biases(turns: Sequence[Ends], audio: Audio) -> list[Bias]:
    """Hold each turn of a call to its packets.

    Args:
        turns: As the caller has measured them.
        audio: The packets of caller and agent, both at the near end of a link without delay.

    Raises:
        AssertionError: The packets show no utterance or no reply where the caller has one.
    """
    streams = {each.stream for each in audio.up}
    heard = [sounds([p for p in audio.up if p.stream == stream]) for stream in streams]
    return [_bias(turn, [each for every in heard for each in every], audio.down) for turn in turns]


def _bias(turn: Ends, heard: Sequence[Sound], down: Sequence[AudioPacket]) -> Bias:
    end_s = min((each.ends_s for each in heard), key=lambda each: abs(each - turn.end_s))
    assert abs(end_s - turn.end_s) < APART_S, f"no utterance ended within {APART_S} s"
    reply = min((s for s in heard if s.begins_s > end_s), key=lambda each: each.begins_s)
    # A packet is heard from its first sample on, which was captured 20 ms before it left.
    came_s = reply.begins_s + PACKET_S + _way_s(reply, down)
    depth_s = turn.jitter_buffer_s - TICK_S
    return Bias(turn.end_s - end_s, turn.reply_s - (came_s + depth_s + OPUS_S))


def _way_s(sound: Sound, down: Sequence[AudioPacket]) -> float:
    """Return how long its packets took to come back from the SFU, which keeps their sizes."""
    ways = []
    for packet in sound.packets[1:]:
        later = (each.passed_s - packet.passed_s for each in down if each.octets == packet.octets)
        ways += [each + sound.late_s(packet) for each in later if 0 < each < PACKET_S]
    return statistics.fmean(ways)


def place_calls(
    lab: NetLab, server: Server, folder: Path, *, calls: int, trials: int
) -> Iterator[tuple[list[Bias], Placed]]:
    """Place calls to a plain agent at the near end and hold each to its packets.

    Args:
        lab: With a server at its far end.
        server: That one.
        folder: Takes the clip, and what the agent's process says.
        calls: How many, one after another.
        trials: Measured turns in each.
    """
    clip = folder / "loud.wav"
    with wave.open(str(clip), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(voiced(0.8, 150).tobytes() + bytes(2 * RATE // 5))
    settings = {
        "agent_name": "",
        "dispatch": "automatic",
        "trials": trials,
        "greeting": "none",
        "reply_timeout": 5,
        "utterance": {"wav": str(clip)},
    }
    with plain_agent(server, folder, lab.client.entrance) as join, Callers(lab, server) as callers:
        for number in range(calls):
            lab.link.set()
            join(room := f"wire-{number}", DELAY_S)
            placed = callers.place(room_name=room, **settings)
            yield biases(placed.turns, lab.link.audio()), placed
