//! The files that are written.
//!
//! | file | what |
//! |---|---|
//! | `NAME.agent.wav` | 16-bit mono PCM, as long as the input, silence where nothing was kept |
//! | `NAME.speech.wav` | `--speech`: the kept parts of it, one after the other |
//! | `NAME.timeline.csv` | `--speech`: the way back: `out_start_s,src_start_s,dur_s` |
//! | `NAME.customer.wav` | only where something was granted: as long as the input, silence outside the grants |
//! | `NAME.svg` | `--report`: one picture; of the customer activity only, no amplitude |
//! | `NAME.inputs.jsonl` | live calls, on request: everything that determined the outputs, except the samples |
//! | `NAME.json` | the manifest |
//! | `NAME.erased.json` | the receipt of an erasure |
//! | `batch.json` | the summary of the last run |
//! | `.live/NAME/` | a live call in hand: its sound files, which open in any player as they lie, and `journal.jsonl` |
//!
//! Files are 0600 and directories 0700. Each is written aside under a hidden name, synced, renamed; the manifest comes
//! last, so a call with a manifest is whole. WAV files over 4 GiB become RF64.
//!
//! # Live calls
//!
//! A live call takes a name that is free (`NAME`, `NAME-2`, …) and never writes over one that stands. It lies in
//! `DIR/.live/NAME/` until it is over; a checkpoint every half second makes its files whole up to there. A kill costs
//! what came after the last checkpoint and the agent's sound that still waited for a decision; a power cut also what
//! the system had not written out (30 s on Linux, unless told otherwise). Before a withdrawal wipes anything, its line
//! in the journal is forced to the disk, so that a death in between cannot keep what was taken back. The next live
//! start seals what a death left, with the result `interrupted` and a finding that says why; the part of the agent's
//! side that had not been decided is `interrupted` in the tally. 256 KiB are kept back from the beginning for the books
//! of a call whose disk fills up. A batch refuses the name of a live call: there is no input to make that one again of.
//!
//! `NAME.inputs.jsonl` is the journal without its checkpoints: `opening` (settings), `event` (with the writer's place),
//! `gap` (sound that did not come), `digest` (of the source's bytes).
//!
//! # The seal
//!
//! The last line of every JSON file is `"seal"`: BLAKE3 over all other bytes of the file. It shows damage and careless
//! edits; whoever can write the directory can also make a new seal, so keep a copy of the seals (`batch.json` lists
//! them) elsewhere if that matters.
//!
//! What nobody outside remembers nobody can miss: who removes a call, its receipt and its line in `batch.json` leaves no
//! trace in the directory. `batch.json` says what the last run did; an erasure of one track afterwards stands in the
//! receipt, an erasure of the whole call also takes its line away.
//!
//! # The digest of sound
//!
//! The data after the header is cut into blocks of 4096 bytes. A block of zeros adds nothing; every other block adds its
//! number (u64, little-endian) and its bytes; then come the length of the data and the bytes of the header. So the
//! digest covers header, kept sound and positions, and silence costs only a look. See [`digest`](crate::store::digest).
//!
//! # The ledger
//!
//! One line an event, with what came of it, the sample from which it counted, and the hash of the line before. The first
//! link is made of the call's name, so lines of another call do not fit.
//!
//! # The tally
//!
//! For each side, in samples: `heard = written + erased + everything left out, by reason`. A run that does not add up
//! does not end.
//!
//! # Names
//!
//! NAME is the path below the given directory without extension; single files and lists are flat. `--names hash` makes
//! it 32 hexadecimal digits of a keyed BLAKE3, and then no path or name of an input stands in any file.
