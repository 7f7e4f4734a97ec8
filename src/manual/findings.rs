//! What is found about a recording, and what each finding does.
//!
//! A finding stands in the manifest, in the picture and in the summary. It changes the exit code only with `--strict`.
//! The remedies are those of [`Finding::remedy`](crate::split::Finding::remedy); a test holds this table to it.
//!
//! | finding | how it is found | what it does |
//! |---|---|---|
//! | `customer_dead` | the customer's channel was never active for 100 ms together | noted; the agent is kept |
//! | `agent_dead` | the agent's channel was never active for 100 ms together | noted; the agent's track is empty, sealed, and says so |
//! | `agent_clipped` | 2 % of the agent's active frames or more touch full scale | noted; the agent is kept |
//! | `twin` | for 1 s and 80 % of the active frames both channels carry the same sound (ρ² ≥ 0.9, levels within 6 dB), or for 3 s and 60 % of the active time one is as loud as the other (within 3 dB) at one delay of up to 150 ms | both withheld; `quarantined` |
//! | `opposite_phase` | the same with opposite sign | both withheld; `quarantined` |
//! | `twin_passages` | both channels carried the same sound for a while (music, ringing) | noted; those frames are withheld |
//! | `swapped_suspected` | the customer's channel follows the agent's within 9 dB nearly always, the agent's does not follow the customer's | noted: from sound alone this is only a warning |
//! | `map_contradicted` | the recording declares another channel to be the agent's than the map in force | both withheld; `quarantined` |
//! | `truncated` | the file ends before its header says | noted; what is there was processed |
//! | `unfinished` | the header names no length (data size 0, 0x7FFFF000, 0xFFFFFFFF) | noted; the real size was used |
//! | `header_repaired` | the header contradicts itself in a way that can be settled | noted |
//! | `events_rejected` | events that counted for nothing | noted; the ledger says why |
//! | `events_beyond_end` | events that lie behind the end of the sound | noted; they count (a late withdrawal erases) |
//! | `pair_lengths_differ` | the files of a pair differ by more than 1 s | noted; the shorter goes on in silence |
//! | `frames_lost` | live: the ring overran or a packet was lost (unintended) | noted; silence of the same length keeps the time line |
//! | `too_fast` | live: the source delivers more sound than time passes, so it carries more than it was said to | both withheld; `quarantined` |
//! | `layout_mismatch` | live: what arrives is not laid out as it was said to be | both withheld; `quarantined` |
//! | `side_unknown` | live: the signalling does not tell, or tells in two ways, which side is the agent's | both withheld; `quarantined` |
//! | `never_record` | live: the other side's number is on the never-record list, and was known only after the call had begun | both withheld; `quarantined` |
//! | `party_missing` | live: a party was to come (it was announced, or its stream is part of the call) and nothing of its sound ever did; of the customer's with `reference = guard` only, for else nobody waits for it, and not if she refused or withdrew: that can be why nothing was sent | noted, with the party; of a customer who never came the agent is kept, and leak is not measurable; of an agent who never came the track is empty |
//! | `sender_silent` | live: the sender sent nothing for a while (intended: its own pause or hold) | noted; silence of the same length keeps the time line |
//! | `interrupted` | live: the process died or the store failed in mid-call | noted; what stood was sealed, and the result is `interrupted` |
//!
//! Where the map is contradicted either channel may be the customer's, so the agent's is withheld as well: storing it
//! could store the customer. The input stays as it is; correct the map and run again.
//!
//! Echo of the agent in the customer's channel (−10 to −30 dB, 0 to 300 ms, as on telephone lines) is no twin and raises
//! no doubt.
