//! Threads, memory, and where a customer's samples can be.
//!
//! A batch has one thread a job (two for a call by itself where a job is idle) and one that tells how far it is. A job has up to sixteen calls in hand: it reads a block of
//! each, takes the sides apart, has the speech of all decided together, and hands frames of 20 ms to each call; nothing is
//! queued behind the gate but the writer's block. See [`speed`](super::speed).
//!
//! A customer's samples are in few places of memory, each wiped when a recording ends or it is dropped: the piece that was
//! read (8,192 sample frames, one for all calls of a job; what is not 16-bit sound, a pair of files and a compressed input have one before it), and the
//! customer's plane made of it (a second of 8 kHz; ten where a job has at most three calls, and three times that where two threads take one through). With
//! `--rate`, the converter's filter as well. While a frame is measured, its averages lie on the stack. A [`Call`](crate::call::Call) has no field that could hold a customer's
//! frame, and the bleed guard keeps levels, no samples.
//!
//! What is cleared waits in a writer's block of at most 64 KiB a file. The agent's side waits up to
//! [`HOLDBACK_FRAMES`](crate::call::HOLDBACK_FRAMES) frames for what the guard and the lead-in need to know; the
//! customer's is decided in the same step. Where a mask is to reach further back (ONE-09), the agent's side waits that much
//! longer: 16 kB a second at 8 kHz, at most [`REACH_MS_MAX`](crate::call::REACH_MS_MAX), wiped when the call is over, and a
//! stretch that is masked at once.
//!
//! Memory does not grow with the length of a recording: at most 16 MiB and 8 MiB a job at 8 kHz stereo (measured: 10 MiB for a
//! call of two hours, 14 MiB for one job with sixteen calls in hand, 19 MiB for two). What grows with
//! a call are its events (at most 10,000) and, a few bytes each, the stretches of the customer's side that are kept.
