//! Whose voice is in the agent's microphone.
//!
//! A voice-activity detector hears the customer in the agent's headset as well as the agent. With the customer 20 dB down
//! in the microphone, WebRTC's detector (mode 2) calls 89 % of the customer's own talk speech; stored with lead-in and
//! tail, nearly all of it would be kept. So a unit of 10 ms is stored only if the guard, which sees both sides, holds it
//! for the agent's own.
//!
//! # How it decides
//!
//! * Both sides are measured in a band around 2 kHz ([`level`](crate::audio::level)): rumble and hiss do not pass from a
//!   line into a microphone as speech does.
//! * The **coupling** from the customer's line to the microphone is learnt for every delay from 0 to 310 ms at once. Each
//!   delay follows the lower edge of "microphone minus customer", so both talking at once never lowers it. Before
//!   anything is known it is taken as −9 dB: bounded, and the price is up to a second of agent in a call's first double
//!   talk.
//! * The agent's own **echo** on the customer's line (telephone lines return −10 to −30 dB, up to 300 ms late) is learnt the
//!   same way and does not count as the customer.
//! * A unit is the agent's if it stands 13 dB above what the customer can have caused, for 30 ms at a stretch; gaps of a
//!   word are bridged at 8 dB. A unit at the microphone's own noise is nobody's.
//! * If the microphone **follows** the customer in shape while it stands above the learnt coupling, the coupling has jumped
//!   (a headset moved, a loudspeaker switched on): withheld, and learnt anew after 200 ms.
//! * Lead-in (150 ms) and tail (250 ms) are kept only in units that pass by themselves.
//!
//! Everything is levels and integers, the same on every machine; no sample is kept. The agent's side waits 260 ms for it.
//!
//! # What it cannot do
//!
//! * With both talking at once the agent's units are kept with the leak under them (`dt_dB` in the README's table). That
//!   needs an adaptive canceller, whose place is before the levels are measured.
//! * A coupling that jumps leaks for 0.2 to 0.5 s (variants of the dev set: −25 dB over the call for −40 → −12 dB).
//! * A customer who speaks first at −3 dB or more in the microphone can pass for the agent's echo (0.2 s of one call in
//!   four, synthetic).
//! * A leak through a steep high pass (900 Hz, 18 dB an octave) spreads beyond the margin: −28 dB.
//! * Loud office noise in the microphone: the detector fires on it, and what the noise hides cannot be told apart.
//! * An agent 10 dB quieter than usual loses 6 % in double talk without any leak; music on the line under the agent's
//!   speech with a leak of −20 dB costs up to a quarter of the agent.
//!
//! # The figures in a manifest
//!
//! `leak.coupling_db` is the lower edge of the learnt coupling (−45: none heard), `leak.withheld_s` the microphone withheld,
//! `leak.residual_db` an upper estimate of the customer's power in what was called the agent's, relative to the customer's
//! own. It assumes that the coupling holds while the agent speaks, and is loose in double talk. `leak.measurable` is false
//! where the guard had one side only, and where the customer's sound did not come (lost, absent, no longer subscribed to) in
//! more than a tenth of what it called the agent's: silence stands there, and says nothing of what the customer said; and
//! where nothing of the agent's was kept, for then there is nothing that it could be in.
