//! The handbook: what the program promises, how it keeps it, and what its files say.
//!
//! * [`door`]: when the customer's voice may be kept, and what shuts the door.
//! * [`events`]: how consent reaches the program: the lines of an events file, and tables from a CRM.
//! * [`findings`]: what is found about a recording, and what each finding does.
//! * [`formats`]: the files that are written, byte by byte where it matters.
//! * [`memory`]: threads, memory, and where a customer's samples can be.
//! * [`guard`]: whose voice is in the agent's microphone: how the guard decides, its defaults and why.
//! * [`live`]: calls from pipes and devices: what counts when, what a kill costs, which system can do what.
//! * [`serve`]: calls of media servers: who is who, pace, time, consent, limits.
//! * [`speed`]: where the time goes, how a batch is decided, what was tried and thrown away.
//! * [`law`]: the reading of the law that the defaults follow.
//!
//! The figures stand in the README, measured.

pub mod door;
pub mod events;
pub mod findings;
pub mod formats;
pub mod guard;
pub mod law;
pub mod live;
pub mod memory;
pub mod serve;
pub mod speed;
