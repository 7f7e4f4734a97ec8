//! Where the time of a recording goes, what was done about it, what was thrown away, and what is still slow.
//!
//! The figures are those of one shared virtual machine (2 cores of an AMD EPYC of the fourth generation); only what was measured side by side
//! can be compared. The README has the tables, `benches/` the programs that made them.
//!
//! # How a batch goes
//!
//! * A worker has up to sixteen calls in hand. It takes a block of each in (8,192 sample frames, so that all of it stays in a
//!   core's second cache), decides the speech of all of them together in the lanes of one vector register
//!   ([`lanes`](crate::voice::lanes)), and settles each call's frames one after the other. A seat that comes free takes the next
//!   input. Before, one call was decided at a time, with seven lanes of eight idle: 44 % of the program's time; now 11 % of much less.
//! * **A call by itself** (three or fewer in hand) is cut: the filters take pieces of its next ten seconds side by side, a lane each.
//!   A filter that begins with nothing is after a few frames, bit for bit, where it would be; each piece begins five frames
//!   early, and what its filters remember there is compared with what those of the piece before remember at its end. Where they differ, the
//!   piece is taken again: one in ten of extreme sounds made up for the test. What is learnt from frame to frame cannot be cut; but
//!   its six bands do not depend on each other, and are judged side by side. Instructions of a frame: 1,346 in a full group of eight,
//!   2,050 alone.
//! * 16 kHz and 32 kHz are heard as they are, in lanes. 24, 40 and 48 kHz are brought to 8 kHz by a filter of integers
//!   ([`decimate`](crate::audio::decimate)), any other rate by the crate `rubato`: 9,400 instructions a frame of 48 kHz with its decision,
//!   99,100 with rubato.
//! * **Sixteen samples at a time** ([`BySixteen`](crate::audio::BySixteen)): levels, the guard's learning, the look for tones and the
//!   decimation are written in explicit multiply-adds, once, for a register of AVX2 (by the tokens of the crate `pulp`, without `unsafe`) and for
//!   arrays. Left to the compiler, the same loops took, in instructions a frame: levels, guard and doubt 3,480, then 2,950 (and less with what is said below); the tones of both sides 1,490, now
//!   810; 48 kHz with its decision 31,700, now 9,400. What levels and tones both need of a wider rate is averaged once for both.
//! * **No block twice**: 16-bit sound is read straight to where it is taken apart, without a buffer of its own.
//! * **Two threads for one call** where a worker has no other and a processor is idle: one takes in and decides, the other settles.
//! * The look for keypad tones hears the second 10 ms of a frame first: a key has three such units in a row, so where none goes on and
//!   the second is none, the first may be what it will. The same is found with half the work. And of a customer of whom no event tells, nothing can be
//!   kept: her tones are not looked for.
//! * Other plain loops (taking two channels apart, the fit of tones) are compiled a second time for AVX2 and chosen at run time. What is
//!   called in them has to be inlined; closures were not, and took twice the time of the whole batch when explicit instructions hid in them.
//! * Whole frames go to the store at once where both halves are kept for the same reason. A customer's frame at a shut gate, in which no event
//!   lies and nothing is missing, is counted under its one reason: 257 of 7,981 instructions a frame of a lone call.
//! * Writers hand on behind silence in such pieces that BLAKE3 goes on at a multiple of their buffer: then its chunks fill the registers. 4 % of
//!   the user time of a long call.
//! * **Delayed copies** are looked for in a call's first ten seconds with one counter of 16 bits for each delay, side by side in plain arrays, which the
//!   compiler puts into registers: 1,972 instructions for levels, guard and doubt instead of 3,190 (or 2,948, where it had not made a call of moving
//!   the last levels by one place).
//! * **Live calls take short turns**: every 5 ms a 24th of them gets the six frames that came since. With turns of 20 ms, a sixth each, the same work
//!   is done, but who is asked something meanwhile waits four times as long: 6.2 ms (p99) with 4,000 calls, and not 1.6.
//! * Of a group of sixteen live calls all frames that wait are decided first, and then settled **call by call**: what a call needs is fetched once a
//!   turn and not for each of its six frames. 44 % of a core for 4,000 calls instead of 47 (medians of three runs in turns).
//!
//! `--detector webrtc` decides with the crate `webrtc-vad` instead, call by call; the decisions are the same, and tests hold them to it.
//!
//! # What the guard costs
//!
//! Levels 36 ns, guard with levels 96 ns, guard and doubt together 110 ns in a call's first ten seconds (while delayed copies are looked
//! for); the tones of both sides 59 ns; `cargo bench --bench frame`, in a run in which the detector alone took 758 ns a frame by itself. Of a batch's CPU seconds
//! (20 calls of 8 kHz, by `perf`): guard 7 %, levels 2 %, doubt 1 %, tones 3 %, and 4 % in the registers' instructions that guard, levels and tones share.
//!
//! # Tried and thrown away
//!
//! * **Levels left to the compiler for wide registers**: the loops that took 56 ns for SSE 2, inlined into a function for AVX2, took 225 ns. That is why they
//!   are explicit now.
//! * **Decimation left to the compiler** in pairs of products: 63,300 instructions a frame; in powers of two: 31,700; explicit, but with indexes that
//!   are checked in its inner loop: 22,600.
//! * **The pieces of a lone call in sixteen lanes** of AVX-512 instead of eight: 10 % slower as a whole; shorter pieces, the same number of beginnings.
//! * **The same in eight lanes with the instructions that AVX-512 has for shorter registers** (masks, ternary logic): 184 ns a frame against
//!   181 of AVX2 alone (`cargo bench --bench lanes -- "by itself"`); the judgement of a lone call waits for its own results, not for instructions. For the same
//!   reason a floor of the bands that costs nothing at all would save 9 % of it.
//! * **Fat LTO**: 131.5 million instructions where thin LTO takes 125.5, and 9 to 15 % more time.
//! * **Pieces of 2,048 to 16,384 sample frames read at a time, blocks of 2 to 10 s, buffers of 32 to 256 KiB**: all within the noise.
//! * **The look for tones by iterators over all lags at once**, to save checks of indexes: 1,070 instructions instead of 810.
//! * **A mapped file**: it saves a copy (5 % of the time), and a file that is cut short while it is read, on a network share for one, would
//!   kill the program and all calls in hand. Files are read in pieces of 8,192 sample frames.
//! * **Judging one call in a group of eight**: 700 ns a frame, most of it for lanes that nobody was in.
//! * **Not wiping what was settled** before the next block of a recording takes its place: within the noise.
//! * For calls of media servers: `recvmmsg` (no gain with a socket for each party), transparent huge pages (within the noise), fetching
//!   ahead what a call needs (3 %).
//!
//! # What is still slow
//!
//! Of the same batch's CPU seconds, with the speech written as well, 48 % are the kernel's (0.09 of 0.19 s): copying what is read and written,
//! finding pages for it. The detector takes 9 %, BLAKE3 9 %, guard and levels 11 %. The strong baseline of `benches/strong`, which does nothing but
//! decide, spends as much in the kernel: to take a third of its time would leave some 30 ms of its 370 for everything else, of which BLAKE3 takes 17.
//! One unit of code generation instead of four changes nothing (1.003 and 1.008 times the time).
//!
//! 4,000 live calls on one core, each given 20 ms every 20 ms, find their state cold each time: 2.4 µs a frame instead of 1.1 where six frames of a
//! call come together. Of 8,000, six frames at a time, a core is busy for 41 % of its time, of 20,000 two are for half of it. Twelve frames a turn would
//! save a tenth of that, but then a kill could lose more than the second that is promised (SEC-05).
