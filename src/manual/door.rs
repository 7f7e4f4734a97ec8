//! The door: when the customer's voice may be kept.
//!
//! > No sample of a customer's voice reaches a disk, a socket or a log unless, at the moment it was spoken, a grant
//! > made by an active act stood.
//!
//! # Five links, each with its check
//!
//! | link | checked by |
//! |---|---|
//! | only `store/` and `archive/` can make or change a file | `tests/tidy.rs` reads the imports and the verbs |
//! | the store takes [`Cleared`](crate::consent::Cleared) and nothing else that has samples | the compiler: `tests/compile_fail/` |
//! | only the gate makes a `Cleared`; for the customer it needs a grant | private fields: `tests/compile_fail/` |
//! | a grant is made only of a decision that carries an act; silence has no variant | a closed enum: `tests/compile_fail/` |
//! | a `Cleared` borrows the gate, and every event needs `&mut` gate | the borrow checker: `tests/compile_fail/` |
//!
//! Checked again while it runs: every script of six events against an oracle that shares no code with the gate
//! (`tests/it/door_oracle.rs`), a canary searched for in every byte the process writes (`tests/it/canary.rs`). And at
//! rest: `oneside verify` plays each ledger through a fresh gate and compares.
//!
//! # What opens it
//!
//! A grant by one of five acts: a key press, a spoken yes that the agent attests, the agent's button, another system's
//! report, a standing token (CON-02). It counts only
//! * after an announcement with id and version was made to that party (INF-01); a token's holder was informed when it
//!   was given;
//! * with at least one purpose, and one that the store records for, if it names any (CON-04);
//! * while everyone on the line has granted (CON-14); who joins starts undecided;
//! * from its own sample on, never earlier (CON-06, CON-07);
//! * until it is withdrawn, refused, expired, or the call is over (CON-16).
//!
//! A token counts only if its expiry can be checked, which needs the call's start (`opened` with `start`), and if it is
//! not on the list of revoked tokens.
//!
//! # What shuts it
//!
//! | event | the customer's side | the agent's side |
//! |---|---|---|
//! | `refused` | shut; sticky: only the customer's own act (key, spoken yes) reopens, or an override with a documented basis (CON-09, CON-13) | goes on |
//! | `withdrawn` | shut; what was kept under that party's grants is erased, or with `--on-withdrawal keep` stays (WDR-02) | goes on |
//! | `withdrawn` with purposes | what was kept for these purposes alone is erased; the rest stays for the others | goes on |
//! | `joined` | shut until the newcomer has been told and has granted | goes on |
//! | `paused` | shut until `resumed` | shut until `resumed` (PAY-01) |
//! | `held` | shut until `retrieved` (or a `resumed` while no pause stands) | goes on |
//! | `private` | shut until `private_ended` | shut until `private_ended` (SEL-06) |
//! | the recording window closes (by the clock) | shut until one opens | shut until one opens (SEL-01) |
//! | `masked` | what was said in the last `seconds` is left out, also what was written of it | what of it still waits is left out (ONE-09) |
//! | `hung_up` | shut for good; every grant expires | goes on to the end of the file |
//! | a doubt about the channels | shut for good | shut for good |
//!
//! A refusal after a grant is a withdrawal: it erases as one. A refusal or withdrawal of a party that was never heard of
//! counts as everybody's, and a withdrawal of purposes that were never granted as one of all purposes: what is meant
//! cannot be told, so nothing is kept. A party that joins under a name that said no has still said no.
//!
//! In a recording all events are known beforehand, so what a later withdrawal would erase is never written at all; the
//! ledger still shows the withdrawal and what it took away. At a tie what shuts comes last and wins.
//!
//! A pause, a private stretch and a closed window stop both sides each by itself: the end of one never ends another.
//!
//! # In a live call
//!
//! Events count in the order in which they arrive. Consent is not backdated: what opens counts from a place ahead, behind
//! everything that the source had delivered or may hold back when it arrived, and never before anything that was stamped
//! earlier. Refusal is not delayed: what shuts counts from the frame in hand, and what an event before it was to open
//! further ahead never opens; after a pause and a `resumed`, the later of both places counts. See
//! [`Call::take_now`](crate::call::Call::take_now).
//!
//! A mask takes back what was said, as far as that can be done without rewriting the agent's track: 260 ms of the
//! agent's side wait anyway, and with a reach configured that much more. The customer's side is wiped as far as was asked.
//! The ledger notes both stretches, and `verify` looks that they are silent. In a recording all masks are known
//! beforehand, and nothing of them is written.
//!
//! Sound that is missing (lost on its way, or never sent) is silence of the same length, counted to the sample as `lost`
//! or `absent`, and never as written.
//!
//! The tone of a key (DTMF) is stored on neither side, whoever may be recorded: it is no talk, and may be part of a card's
//! number (PAY-05). It is known 30 to 50 ms after it began. The agent's side still waits by then; of the customer's, where a
//! grant stands, what was written of it is wiped. Both are counted as `tone`. See [`voice::tones`](crate::voice::tones), and for
//! what keys mean and when they count [`run::live::question`](crate::run::live::question) (CON-18).
//!
//! # What cannot be caught by types
//!
//! Which channel is the agent's. That map lives in one file ([`split`](crate::split)), has no default, is shown by
//! `oneside check`, is held against what the recording says of itself (`opened` with `agent_channel`), and is doubted
//! from the sound: see [`findings`](super::findings). And the bleed guard: a detector with an error rate, which is
//! measured and published: see [`guard`](super::guard).
