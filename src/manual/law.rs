//! The reading of the law that the defaults follow. Engineering, not legal advice.
//!
//! * Consent is an active act: a key press, a clear yes. Silence, or staying on the line, is none (Datatilsynet,
//!   Denmark; CON-01, CON-02). So an opt-out design cannot be configured (CON-03).
//! * Who consents must know what for: an announcement first (INF-01), a purpose in every grant (CON-04).
//! * It can be taken back at any time, as easily as it was given, and what was kept is then erased (GDPR 7(3), 17(1)(b);
//!   WDR-01, WDR-02).
//! * A refusal has no consequence for the person: nothing else changes (CON-08); the agent's recording is the same bit for
//!   bit.
//! * Outbound calls keep the agent's track alone (ONE-01).
//! * What is kept is deleted in time, 90 days by default, and the deletion leaves proof (RET-01, ERA-06). A dispute holds
//!   a call, with a reason and a date of review (HLD-01, HLD-03).
//! * Card numbers are read back by the agent, so a pause stops both tracks (PAY-01).
//! * File names hold no telephone numbers, or are hashed (ANO-02).
//!
//! An age is counted from the call's start where the events say it, else from the input's time of change, because a copy
//! of the outputs must not make them younger.
//!
//! Not in this program yet: encryption at rest and roles. Until then the directory belongs on an encrypted disk with one
//! owner; the program makes files that only their owner can read.
