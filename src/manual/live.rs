//! Live calls: what counts when, what is lost when, and what a machine has to have.
//!
//! ```text
//!  sender ──▶ source's thread ──▶ ring ──▶ worker: line ▶ call ▶ GATE ▶ store ──▶ DIR/.live/NAME/ ──▶ DIR/NAME.*
//!                  │                          ▲
//!                  └─▶ pass-through           └── what was said: HTTP API, page, ctl, --control-fd, the clock
//! ```
//!
//! `oneside pipe` carries one call from a pipe; `oneside record` (feature `capture`) the calls of a workstation, one at a
//! time. Both are steered alike. Wirings for switches lie in `samples/switch/`, for workstations in `samples/desk/`.
//!
//! # The ring, and what it costs
//!
//! A source's thread pushes, the call's worker drains; no lock, no wait, no allocation on the way ([`ring`](crate::ring)).
//! What was read is wiped. The ring holds 5 s (`--ring-ms`, 500 to 60,000), for a pipe at least two bursts of 64 KiB: two
//! bytes a sample, 157 KiB for 5 s of 8 kHz stereo. `oneside check` says what ring and reach take together.
//!
//! While the worker stands still (a disk that stalls) sound waits in the ring. What finds no room becomes silence of
//! the same length, counted as `lost` and found as `frames_lost`; what comes later never shifts. A pipe is read on: for a
//! recorder that takes nothing its thread waits at most 100 ms, then leaves out until half of the ring is free again. A
//! stream that is ahead of real time (a file that is piped in) is waited with, for nobody is held up by that.
//!
//! # When a yes counts, and when a no
//!
//! Events count in the order in which they arrive. Nobody's clock but ours is believed.
//!
//! * **What opens** (`granted`, `resumed`, `retrieved` …) counts from a place *ahead*: the later of the ring's end at its
//!   arrival, and its place on the arrival clock plus what may still be on its way. That is `--worst-buffering-ms`, or the
//!   largest burst that the stream has shown lately if that is more, and 20 ms. Where the rate is converted, 128 samples
//!   more: a converter spreads each sample so far. So nothing that was spoken before the yes lies behind it (CON-06).
//! * **What shuts** (`refused`, `withdrawn`, `paused`, `hung_up` …) counts from the frame in hand: also for sound that had
//!   arrived and waited in the ring. A yes that lies ahead does not survive it (CON-10).
//!
//! The default of `--worst-buffering-ms` for a pipe is what 64 KiB hold: 2,048 ms at 8 kHz stereo, 16 bit. For devices it is
//! measured: the longest callback, the delay that the sound system reports, the alignment of the two devices, and 60 ms for
//! our own ticks; a larger figure that is configured beats it. A figure that is too small is the one way to
//! keep words that were spoken before the yes: leave it alone unless you know every buffer on the way.
//!
//! Every answer says what the writer did, not what was asked: the sample from which it counts, where the writer was, the entry
//! of the ledger and its hash, and whether the customer's side is open (INF-03). No answer within 2 s means that the writer is
//! held up; what was asked takes effect when it goes on.
//!
//! A line on `--control-fd` that cannot be understood and may have been meant to shut holds the customer's side until a
//! `retrieved`.
//!
//! # Pauses of a sender, and stalls
//!
//! Most taps carry no time. A pipe's time line follows the *arrival clock*, which begins with the first sound:
//!
//! | what happens | what is done |
//! |---|---|
//! | sound again after more than two bursts and 250 ms of nothing | it is held for 200 ms and judged |
//! | it comes in real time | the sender paused: silence up to its place on the clock, laid *before* it, counted as `absent` (`sender_silent`) |
//! | it comes faster | the sender had stalled and catches up: it belongs where the stream stopped |
//! | what is missing when it has caught up | was lost on its way: silence, counted as `lost` (`frames_lost`) |
//! | a yes lies ahead | no silence is laid before what arrives: words from before the yes could move behind it |
//!
//! Differences of less than 60 ms are let be. Devices count their own frames: there the clock only tells places.
//!
//! # What a kill costs, and recovery
//!
//! A call in hand lies in `DIR/.live/NAME/`. Every 400 ms what was cleared is written with a valid header and entered in
//! the journal. A kill (`kill -9`, End task, a crash) costs what came after that, and the agent's sound that still waited: 260 ms
//! for the detector and the guard, and the reach of masks. Together less than a second and the reach. A power cut also costs
//! what the system had not written out.
//!
//! The next live start in the same directory (or an `erase` there) brings every such call to a definite result (ROB-07): cut to its last
//! checkpoint, its events played through a fresh gate, what may not be kept wiped, sealed as `interrupted`. Calls
//! that another process has in hand are left alone. `oneside verify` warns of those that wait.
//!
//! A call never writes over one that stands: it takes `NAME-2`, `NAME-3` …
//!
//! A store that fails in mid-call (disk full, I/O error) turns the state to `not_recording` and ends the recording, not the
//! conversation; what stood is sealed from 256 KiB that were kept back for that. No call is begun with less than 64 MiB
//! free (`--free-min-mib`).
//!
//! # Pass-through and `tee`
//!
//! `--pass-through original` hands every byte on to standard output before anything else is done with it; `agent` silences all
//! other channels. It goes on when the store fails, the disk is full, the recorder panics or was never begun, and
//! when its listener goes away the recording goes on. It does not go on when the process is killed or stopped: who minds that
//! lets `tee -p` copy and gives `oneside` the copy (`samples/switch/tee.md`).
//!
//! What is handed on is the call, not the recording: the rules of this program end at that descriptor. A regular file is
//! refused there, unless `pass_through_to_file = true` stands under `[danger]` in the configuration file.
//!
//! # Two devices, two clocks
//!
//! The agent's microphone is the line. The customer's device (loopback or monitor of what the agent hears) is bent to it by up
//! to 0.2 %, in the same step that converts its rate; a jump of more than 15 ms is jumped over. Both devices' stamps say
//! what was captured together. A loopback that delivers only while something sounds (WASAPI) is waited for a little, and its
//! silence is absence, not loss. See [`align`](crate::audio::align).
//!
//! A device that delivers nothing for 850 ms is noticed; the state says `not_recording` and why. The same device is opened
//! again when it is back, never another, and the time between is silence.
//!
//! `--auto` begins a call when both sides had sound (above −45 dBFS, 0.2 s within some 3 s) and ends it after 20 s of silence of
//! both (`--auto-silence-s`). The agent's last 15 s before are kept in memory and belong to the call; the customer's are not.
//! Music and a colleague beside the desk are sound, too: a softphone's hook (`samples/desk/softphone-hook.sh`) knows better.
//!
//! # What a mask reaches
//!
//! `oneside ctl mask 10` drops the last 10 s (ONE-09). The customer's side is wiped as far back as was asked, on disk too. The
//! agent's track is never rewritten: of it a mask reaches what still waits, 260 ms and `--reach-s` (0 by default, at most
//! 60). The reach is memory (32 kB a second at 16 kHz), and what a kill loses on top of a second; `check` shows both. The
//! answer's `masked_from` says how far it came.
//!
//! # Private calls, windows, acknowledgement
//!
//! `[staff]` of the configuration file (`samples/desk/sidecar.toml`):
//!
//! * `record` captures nothing before the agent's acknowledgement of the version in force is on file (INF-04); `pipe` begins no
//!   call without it if `[staff]` asks for one.
//! * Windows by weekday, in local time, within a training period. Outside of them neither side is stored; a call that runs over
//!   a boundary is cut there, by the clock (SEL-01, SEL-02). A plan of whole weeks is refused.
//! * A number on the never-record list: the call is not begun (SEL-06). The number is compared and forgotten.
//! * `private` and `private_ended`, or a call opened as private: neither side is stored, and the ledger says so.
//!
//! A pause, a private stretch and a closed window stop both sides each by itself; the end of one ends no other.
//!
//! # The input list, and replay
//!
//! With `--list` a call leaves `NAME.inputs.jsonl`: settings, events with the writer's place, losses, the digest of the
//! source's bytes; never a sample. `oneside replay NAME.inputs.jsonl --audio FILE --out DIR --check` makes the call again over
//! sound that you supply and compares: the same sound gives the same outputs, bit for bit.
//!
//! # How a call ends
//!
//! By the end of its input, by `close`, by `--auto`, by a signal (SIGINT, SIGTERM, SIGHUP: what was delivered is decided and sealed).
//! `hung_up` ends the customer's side alone. Results: `recorded`, `quarantined`, `interrupted`; of calls that leave nothing
//! `excluded` or `failed`.
//!
//! | exit | `pipe`, `record` |
//! |---|---|
//! | 0 | the call stands, also after a signal |
//! | 1 | the input could not be read to its end; what came stands |
//! | 2 | the command, its configuration, the stream's header or a device cannot be used |
//! | 3 | `--strict`, and the call was quarantined (`pipe`) |
//! | 4 | a rule for staff says no; `pipe` still passes the call through |
//! | 5 | the disk: too full to begin, or it failed in mid-call |
//! | 70 | a bug; the call was sealed as `interrupted` |
//!
//! # The systems
//!
//! | | Linux | Windows | macOS |
//! |---|---|---|---|
//! | `batch`, `verify`, `pipe`, HTTP API, `ctl` | tests | built by mingw, run under Wine (`tests/windows.sh`): outputs equal byte for byte | not run |
//! | the agent's side | ALSA; PulseAudio, PipeWire through an ALSA PCM of `type pulse` | WASAPI; *Let desktop apps access your microphone* | CoreAudio; asks for the microphone |
//! | the customer's side | the monitor of the output, the same way | the output's own name: WASAPI loopback | the output's own name, from 14.6 on; asks for system audio |
//! | `record` | tests, with a private PulseAudio | compiled, not run | not compiled here |
//! | inherited descriptors (`--fd`, `--control-fd`) | yes | no: standard input, `--http` | yes |
//! | files 0600, directories 0700 | yes | rights of the directory they lie in | yes |
//! | no core dumps | forbidden by the process | none by themselves | forbidden by the process |
//! | memory out of swap | locked where the limit allows it | no: encrypt the page file | no: it is encrypted by default |
