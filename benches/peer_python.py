"""The usual Python pipeline: soundfile reads, webrtcvad decides, soundfile writes. Same outputs as the obvious program.

peer_python.py CALLS_DIR OUT_DIR
"""

import os
import sys

import numpy
import soundfile
import webrtcvad

LEAD_IN = 8  # 150 ms in whole frames
TAIL = 13  # 250 ms in whole frames


def keep(agent, rate):
    """Which frames are kept: speech with lead-in and tail."""
    vad = webrtcvad.Vad(2)
    sound = agent.tobytes()
    frame = rate // 50  # 20 ms
    kept = numpy.zeros(len(agent) // frame, dtype=bool)
    for number in range(len(kept)):
        if vad.is_speech(sound[number * frame * 2:(number + 1) * frame * 2], rate):
            kept[max(0, number - LEAD_IN):number + TAIL + 1] = True
    return kept


def main():
    calls, out = sys.argv[1:]
    for name in sorted(os.listdir(calls)):
        sound, rate = soundfile.read(os.path.join(calls, name), dtype="int16")
        agent = numpy.ascontiguousarray(sound[:, 0])
        mask = numpy.zeros(len(agent), dtype=bool)
        kept = numpy.repeat(keep(agent, rate), rate // 50)
        mask[:len(kept)] = kept
        stem = os.path.join(out, name[:-4])
        soundfile.write(stem + ".agent.wav", numpy.where(mask, agent, 0).astype(numpy.int16), rate, subtype="PCM_16")
        soundfile.write(stem + ".speech.wav", agent[mask], rate, subtype="PCM_16")


main()
