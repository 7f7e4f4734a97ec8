#!/usr/bin/env bash
# Runs a command beside a private PulseAudio daemon, on a machine that needs no sound hardware:
#
#   tests/pulse.sh COMMAND [ARGUMENT...]
#
# What is played into the sink `call` (stereo), `headset` or `elsewhere` (mono) can be captured from these ALSA devices:
#
#   agent_mic      the left channel of `call`
#   agent_phones   the right channel of `call`
#   both_sides     both channels of `call`
#   usb_headset    what is played into `headset`; unload its module to unplug it (pactl, in the command)
#
# Works as root. The daemon and its directory are gone when the command ends. Exit status 77: a program is missing.
set -euo pipefail

for program in pulseaudio pactl paplay; do
    command -v "$program" >/dev/null || { echo "tests/pulse.sh: $program is missing" >&2; exit 77; }
done

room=$(mktemp -d)
daemon=
finish() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    rm -rf "$room"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -m 700 "$room/pulse" "$room/state"
export HOME=$room XDG_RUNTIME_DIR=$room PULSE_RUNTIME_PATH=$room/pulse PULSE_STATE_PATH=$room/state
export PULSE_COOKIE=$room/cookie PULSE_SERVER=unix:$room/pulse/native
unset DBUS_SESSION_BUS_ADDRESS DISPLAY

cat > "$room/asound.conf" <<'A'
pcm.agent_mic    { type pulse device "agent_mic"        hint { show on description "Agent's microphone" } }
pcm.agent_phones { type pulse device "agent_phones"     hint { show on description "Monitor of the agent's phones" } }
pcm.both_sides   { type pulse device "call.monitor"     hint { show on description "Both sides" } }
pcm.usb_headset  { type pulse device "headset.monitor"  hint { show on description "USB headset" } }
A
export ALSA_CONFIG_PATH=/usr/share/alsa/alsa.conf:$room/asound.conf

pulseaudio -n --daemonize=no --fail=yes --use-pid-file=no --exit-idle-time=-1 --disallow-exit=no \
    --realtime=no --high-priority=no --log-target=stderr --log-level=error \
    -L "module-native-protocol-unix socket=$room/pulse/native auth-anonymous=1" \
    -L "module-null-sink sink_name=call channels=2 rate=48000 channel_map=front-left,front-right" \
    -L "module-remap-source source_name=agent_mic master=call.monitor channels=1 master_channel_map=front-left channel_map=mono remix=no" \
    -L "module-remap-source source_name=agent_phones master=call.monitor channels=1 master_channel_map=front-right channel_map=mono remix=no" \
    -L "module-null-sink sink_name=headset channels=1 rate=44100" \
    -L "module-null-sink sink_name=elsewhere channels=1 rate=48000" \
    2>"$room/daemon.log" &
daemon=$!

for _ in $(seq 100); do
    pactl info >/dev/null 2>&1 && break
    kill -0 "$daemon" 2>/dev/null || { cat "$room/daemon.log" >&2; exit 1; }
    sleep 0.1
done

"$@"
