"""Runs each pipeline over the same calls, by turns, and prints medians of CPU and wall time, and memory.

peers.py RELEASE_DIR WORK_DIR SECONDS ROUNDS [FIRST]; only the FIRST so many, if given; called by peers.sh. Every pipeline leaves the agent's (left) channel of each
call, and most also its speech alone. CPU time is that
of the child processes, as the kernel accounts for it.
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

FFMPEG_SPEECH = "silenceremove=start_periods=1:stop_periods=-1:stop_duration=0.25:start_threshold=-45dB:stop_threshold=-45dB"
SOX_SPEECH = ["silence", "1", "0.1", "0.5%", "-1", "0.25", "0.5%"]


def main():
    release, work, seconds, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    calls = os.path.join(work, "calls")
    names = sorted(name[:-4] for name in os.listdir(calls))
    found, missing = pipelines(release, calls, names)
    if len(sys.argv) > 5:
        found, missing = found[:int(sys.argv[5])], []
    for what in missing:
        print(f"left out, not installed: {what}", file=sys.stderr)
    peaks = {title: peak(work, commands) for title, _, commands in found}
    measured = {title: [] for title, _, _ in found}
    for number in range(rounds):
        for title, _, commands in found:
            measured[title].append(run(work, commands))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    table(found, measured, peaks, len(names), seconds, rounds)


def pipelines(release, calls, names):
    """(title, version, commands of an output directory) of what is installed; names of what is not."""
    each = [(os.path.join(calls, name + ".wav"), name) for name in names]
    oneside = os.path.join(release, "oneside")
    batch = [oneside, "batch", calls, "--agent-channel", "left", "--jobs", "1", "--quiet", "--out"]
    found = [
        ("oneside, agent + speech + manifest", version([oneside, "--version"]), lambda out: [batch + [out, "--speech"]]),
        ("obvious Rust program, agent + speech", "", lambda out: [[os.path.join(release, "examples", "obvious"), calls, out]]),
    ]
    missing = []
    if python_has("webrtcvad", "soundfile", "numpy"):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_python.py")
        found.append(("Python soundfile + webrtcvad, agent + speech", platform.python_version(),
                      lambda out: [[sys.executable, script, calls, out]]))
    else:
        missing.append("Python with webrtcvad, soundfile and numpy")
    if shutil.which("sox"):
        said = version(["sox", "--version"])
        left = lambda out: [["sox", call, f"{out}/{name}.agent.wav", "remix", "1"] for call, name in each]
        speech = lambda out: [["sox", call, f"{out}/{name}.speech.wav", "remix", "1", *SOX_SPEECH] for call, name in each]
        found.append(("sox remix 1 (no speech detection)", said, left))
        found.append(("sox remix 1 + silence, agent + speech", said, lambda out: left(out) + speech(out)))
    else:
        missing.append("sox")
    if shutil.which("ffmpeg"):
        said = version(["ffmpeg", "-version"])
        plain = ["ffmpeg", "-nostdin", "-loglevel", "error", "-threads", "1", "-i"]
        pan = lambda out: [plain + [call, "-af", "pan=mono|c0=FL", f"{out}/{name}.agent.wav"] for call, name in each]
        graph = f"[0:a]pan=mono|c0=FL,asplit=2[a][b];[b]{FFMPEG_SPEECH}[s]"
        both = lambda out: [plain + [call, "-filter_complex", graph, "-map", "[a]", f"{out}/{name}.agent.wav",
                                     "-map", "[s]", f"{out}/{name}.speech.wav"] for call, name in each]
        found.append(("ffmpeg pan (no speech detection)", said, pan))
        found.append(("ffmpeg pan + silenceremove, agent + speech", said, both))
    else:
        missing.append("ffmpeg")
    return found, missing


def version(command):
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    numbers = [word for word in said.split() if any(letter.isdigit() for letter in word)]
    return numbers[0].lstrip("v") if numbers else "?"


def python_has(*modules):
    command = [sys.executable, "-c", "import " + ", ".join(modules)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run(work, commands):
    """One pass over all calls: CPU seconds, wall seconds."""
    todo = commands(empty(work))
    cpu, begun = 0.0, time.monotonic()
    for command in todo:
        child = os.posix_spawnp(command[0], command, os.environ)
        _, status, usage = os.wait4(child, 0)
        if status != 0:
            sys.exit(f"peers.py: status {os.waitstatus_to_exitcode(status)} of {' '.join(command)}")
        cpu += usage.ru_utime + usage.ru_stime
    return cpu, time.monotonic() - begun


def peak(work, commands):
    """Peak MiB of a few commands, in a pass that is not timed: asked while they run, because the kernel's account of a
    child begins with the memory of the process that started it."""
    most = 0
    for command in commands(empty(work))[:8]:
        child = os.posix_spawnp(command[0], command, os.environ)
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            most = max(most, resident_peak(child, command[0]))
            time.sleep(0.001)
    return most / 1024


def resident_peak(process, program):
    """KiB; 0 before the child has become the program, and after its end."""
    try:
        with open(f"/proc/{process}/status", encoding="utf-8") as status:
            said = dict(line.split(":", 1) for line in status)
        same = said["Name"].strip() == os.path.basename(program)[:15]
        return int(said["VmHWM"].split()[0]) if same else 0
    except (OSError, KeyError):
        return 0


def empty(work):
    out = os.path.join(work, "out")
    shutil.rmtree(out, ignore_errors=True)
    os.mkdir(out)
    return out


def table(found, measured, peaks, calls, seconds, rounds):
    print(f"\n{calls} calls, {seconds / 3600:.1f} h of 8 kHz stereo, 16-bit WAV; one process at a time; {rounds} rounds;")
    print(f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}\n")
    print("| pipeline | version | CPU s, median (least–most) | wall s | peak MiB | × real time per CPU s | of oneside's |")
    print("|---|---|---|---|---|---|---|")
    ours = statistics.median(cpu for cpu, _ in measured[found[0][0]])
    for title, said, _ in found:
        cpu, wall = zip(*measured[title])
        middle = statistics.median(cpu)
        spread = f"{middle:.2f} ({min(cpu):.2f}–{max(cpu):.2f})"
        cells = [title, said, spread, f"{statistics.median(wall):.2f}", f"{peaks[title]:.1f}",
                 f"{seconds / middle:,.0f}", f"{ours / middle:.2f}×"]
        print("| " + " | ".join(cells) + " |")
    ratios = sorted(theirs[0] / our[0] for our, theirs in zip(measured[found[0][0]], measured[found[1][0]]))
    print(f"\noneside does {statistics.median(ratios):.2f} times the work of the obvious program per CPU second "
          f"({ratios[0]:.2f}–{ratios[-1]:.2f} by round).")


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


main()
