"""Runs each pipeline over the same calls, by turns, and prints medians of CPU and wall time, and memory.

peers.py RELEASE_DIR WORK_DIR SECONDS ROUNDS SET PEERS; called by peers.sh. WORK_DIR/calls holds the calls, PEERS is a list
apart by commas. Every pipeline leaves the agent's (left) channel of each call, and most also its speech alone. CPU time is
that of the child processes, as the kernel accounts for it.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import wave

FFMPEG_SPEECH = "silenceremove=start_periods=1:stop_periods=-1:stop_duration=0.25:start_threshold=-45dB:stop_threshold=-45dB"
SOX_SPEECH = ["silence", "1", "0.1", "0.5%", "-1", "0.25", "0.5%"]
SETS = {
    "calls": "8 kHz stereo, 16-bit WAV",
    "long": "8 kHz stereo, 16-bit WAV",
    "wide16": "16 kHz stereo, 16-bit WAV",
    "wide48": "48 kHz stereo, 16-bit WAV",
    "mulaw": "8 kHz stereo, µ-law WAV",
    "start": "8 kHz stereo, 16-bit WAV",
}
# How often a start is measured.
STARTS = 30


def main():
    release, work, seconds, rounds, kind, peers = sys.argv[1:]
    seconds, rounds, peers = int(seconds), int(rounds), peers.split(",")
    calls = os.path.join(work, "calls")
    names = sorted(name[:-4] for name in os.listdir(calls))
    if kind == "start":
        starts(release, work, os.path.join(calls, names[0] + ".wav"))
        return
    found, missing = pipelines(release, calls, names, kind, peers)
    for what in missing:
        print(f"left out: {what}", file=sys.stderr)
    peaks, left = {}, {}
    for title, _, commands in found:
        peaks[title] = peak(work, commands)
        if title.startswith(("obvious", "strong", "Python")):
            left[title] = outputs(work, names)
    hold_together(left, kind)
    measured = by_turns(work, [(title, commands) for title, _, commands in found], rounds)
    print(f"\n{len(names)} calls, {seconds / 3600:.1f} h of {SETS[kind]}; one process at a time; {rounds} rounds;")
    print(f"{machine()}; {compiler()}\n")
    table(found, measured, peaks, seconds)
    ratios(measured, found[0][0])
    if kind == "calls":
        two_cores(release, work, calls, names, rounds, "strong" in peers)


def pipelines(release, calls, names, kind, peers):
    """(title, version, commands of an output directory) of what is wanted and installed; names of what is not."""
    each = [(os.path.join(calls, name + ".wav"), name) for name in names]
    oneside, example = os.path.join(release, "oneside"), os.path.join(release, "examples")
    batch = [oneside, "batch", calls, "--agent-channel", "left", "--jobs", "1", "--quiet", "--out"]
    found, missing = [], []
    found.append(("oneside, agent + speech + manifest", version([oneside, "--version"]), lambda out: [batch + [out, "--speech"]]))
    if "obvious" in peers and kind == "mulaw":
        missing.append("the obvious Rust program: hound reads no µ-law")
    elif "obvious" in peers:
        found.append(("obvious Rust program, agent + speech", f"{locked('hound')}, {locked('webrtc-vad')}",
                      lambda out: [[os.path.join(example, "obvious"), calls, out]]))
    if "strong" in peers:
        found.append(("strong Rust baseline, agent + speech", locked("webrtc-vad"),
                      lambda out: [[os.path.join(example, "strong"), out, calls]]))
    if "python" in peers and python_has("webrtcvad", "soundfile", "numpy"):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_python.py")
        modules = [f"{name} {importlib.metadata.version(name)}" for name in ("soundfile", "webrtcvad")]
        found.append(("Python soundfile + webrtcvad, agent + speech", ", ".join([platform.python_version(), *modules]),
                      lambda out: [[sys.executable, script, calls, out]]))
    elif "python" in peers:
        missing.append("Python with webrtcvad, soundfile and numpy: not installed")
    if "sox" in peers and shutil.which("sox"):
        said = version(["sox", "--version"])
        # The output is 16-bit whatever the input is.
        to = lambda out, name, what: ["-e", "signed-integer", "-b", "16", f"{out}/{name}.{what}.wav", "remix", "1"]
        left = lambda out: [["sox", call, *to(out, name, "agent")] for call, name in each]
        speech = lambda out: [["sox", call, *to(out, name, "speech"), *SOX_SPEECH] for call, name in each]
        found.append(("sox remix 1 (no speech detection)", said, left))
        found.append(("sox remix 1 + silence, agent + speech", said, lambda out: left(out) + speech(out)))
    elif "sox" in peers:
        missing.append("sox: not installed")
    if "ffmpeg" in peers and shutil.which("ffmpeg"):
        said = version(["ffmpeg", "-version"])
        plain = ["ffmpeg", "-nostdin", "-loglevel", "error", "-threads", "1", "-i"]
        pan = lambda out: [plain + [call, "-af", "pan=mono|c0=FL", f"{out}/{name}.agent.wav"] for call, name in each]
        graph = f"[0:a]pan=mono|c0=FL,asplit=2[a][b];[b]{FFMPEG_SPEECH}[s]"
        both = lambda out: [plain + [call, "-filter_complex", graph, "-map", "[a]", f"{out}/{name}.agent.wav",
                                     "-map", "[s]", f"{out}/{name}.speech.wav"] for call, name in each]
        found.append(("ffmpeg pan (no speech detection)", said, pan))
        found.append(("ffmpeg pan + silenceremove, agent + speech", said, both))
    elif "ffmpeg" in peers:
        missing.append("ffmpeg: not installed")
    return found, missing


def two_cores(release, work, calls, names, rounds, with_strong):
    """`--jobs 2` beside two processes at once that have every second call each."""
    halves = [[os.path.join(calls, name + ".wav") for name in names[half::2]] for half in (0, 1)]
    oneside, strong = os.path.join(release, "oneside"), os.path.join(release, "examples", "strong")

    def batch(out, jobs, files):
        return [oneside, "batch", *files, "--agent-channel", "left", "--jobs", str(jobs), "--quiet", "--speech", "--out", out]

    ways = [
        ("oneside --jobs 2", lambda out: [[batch(out, 2, [calls])]]),
        ("two oneside --jobs 1 at once, half of the calls each",
         lambda out: [[batch(f"{out}/{half}", 1, files) for half, files in enumerate(halves)]]),
    ]
    if with_strong:
        ways.append(("two strong Rust baselines at once, half of the calls each",
                     lambda out: [[[strong, f"{out}/{half}", *files] for half, files in enumerate(halves)]]))
    measured = by_turns(work, ways, rounds)
    print(f"\nTwo cores, the same calls; {rounds} rounds:\n")
    print("| way | wall s, median (least–most) | CPU s |")
    print("|---|---|---|")
    for title, _ in ways:
        cpu, wall = zip(*measured[title])
        print(f"| {title} | {spread(wall)} | {statistics.median(cpu):.2f} |")
    print()
    for title, _ in ways[1:]:
        reached = [theirs[1] / our[1] for our, theirs in zip(measured[ways[0][0]], measured[title])]
        print(f"Of what {title} reach, oneside --jobs 2 reaches {spread(reached)} times, by round.")


def starts(release, work, call):
    """Wall time of a start, and of a batch of one file, ms."""
    out, oneside = os.path.join(work, "out"), os.path.join(release, "oneside")
    batch = [oneside, "batch", call, "--agent-channel", "left", "--quiet", "--speech", "--out", out]
    by_hyperfine = shutil.which("hyperfine") is not None
    how = f"hyperfine {version(['hyperfine', '--version'])}" if by_hyperfine else "this script"
    print(f"\nStart-up, wall, {STARTS} runs by {how}; {machine()}\n")
    print("| command | ms, median (least–most) |")
    print("|---|---|")
    for title, command in [("oneside --version", [oneside, "--version"]), ("oneside batch, one call of 3 minutes", batch)]:
        times = hyperfine(work, command, out) if by_hyperfine else started(command, out)
        print(f"| {title} | {spread([1000 * seconds for seconds in times])} |")


def hyperfine(work, command, out):
    told = os.path.join(work, "told.json")
    subprocess.run(["hyperfine", "-N", "--style", "none", "--warmup", "3", "--runs", str(STARTS), "--prepare", f"rm -rf {out}",
                    "--export-json", told, " ".join(command)], check=True, stdout=subprocess.DEVNULL)
    with open(told, encoding="utf-8") as file:
        return json.load(file)["results"][0]["times"]


def started(command, out):
    times = []
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    for _ in range(STARTS):
        shutil.rmtree(out, ignore_errors=True)
        begun = time.monotonic()
        child = os.posix_spawnp(command[0], command, os.environ, file_actions=nowhere)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(f"peers.py: {' '.join(command)} fails")
        times.append(time.monotonic() - begun)
    return times


def version(command):
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    numbers = [word for word in said.split() if any(letter.isdigit() for letter in word)]
    return numbers[0].lstrip("v") if numbers else "?"


def locked(crate):
    """A crate and its version, as Cargo.lock has it."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Cargo.lock"), encoding="utf-8") as lock:
        lines = [line.strip() for line in lock]
    return crate + " " + lines[lines.index(f'name = "{crate}"') + 1].split('"')[1]


def outputs(work, names):
    """A digest of the sound that stands there of the first calls."""
    digest = hashlib.sha256()
    for path in [f"{work}/out/{name}.{what}.wav" for name in names[:3] for what in ("agent", "speech")]:
        with wave.open(path) as sound:
            digest.update(sound.readframes(sound.getnframes()))
    return digest.hexdigest()


def hold_together(left, kind):
    """Those that decide by the same detector with the same lead-in and tail have to leave the same sound, or they are no
    measure of each other. At 48 kHz they hear different things."""
    if kind != "wide48" and len(set(left.values())) > 1:
        sys.exit("peers.py: the obvious program, the strong baseline and Python do not leave the same sound")


def python_has(*modules):
    command = [sys.executable, "-c", "import " + ", ".join(modules)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def by_turns(work, ways, rounds):
    """(CPU seconds, wall seconds) of each way, by title, a pair a round."""
    measured = {title: [] for title, _ in ways}
    for number in range(rounds):
        for title, commands in ways:
            measured[title].append(run(work, commands))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return measured


def run(work, commands):
    """One pass over all calls: CPU seconds, wall seconds. What is in a list of its own runs at once."""
    todo = commands(empty(work))
    cpu, begun = 0.0, time.monotonic()
    for step in todo:
        at_once = step if isinstance(step[0], list) else [step]
        children = {os.posix_spawnp(command[0], command, os.environ): command for command in at_once}
        for _ in at_once:
            child, status, usage = os.wait3(0)
            if status != 0:
                sys.exit(f"peers.py: status {os.waitstatus_to_exitcode(status)} of {' '.join(children[child])[:400]}")
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


def table(found, measured, peaks, seconds):
    print("| pipeline | version | CPU s, median (least–most) | wall s | peak MiB | × real time per CPU s |")
    print("|---|---|---|---|---|---|")
    for title, said, _ in found:
        cpu, wall = zip(*measured[title])
        cells = [title, said, spread(cpu), spread(wall), f"{peaks[title]:.1f}", f"{seconds / statistics.median(cpu):,.0f}"]
        print("| " + " | ".join(cells) + " |")


def ratios(measured, ours):
    """How many times the CPU and the wall time of ours the others take, round by round."""
    if len(measured) < 2:
        return
    print("\n| beside oneside | CPU, times as much (least–most by round) | wall |")
    print("|---|---|---|")
    for title in list(measured)[1:]:
        by_round = [[theirs[which] / our[which] for our, theirs in zip(measured[ours], measured[title])] for which in (0, 1)]
        print(f"| {title} | {spread(by_round[0])} | {spread(by_round[1])} |")


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def machine():
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def compiler():
    return " ".join(subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=False).stdout.split()[:2])


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


main()
