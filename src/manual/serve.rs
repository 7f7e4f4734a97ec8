//! Calls of media servers: `oneside serve`, what each source keeps of the customer, what is lost when, what it costs.
//!
//! ```text
//!  sockets (tokio tasks; RTP: sweeping threads) ─▶ parser ─▶ Leg ═ring═▶ shard: line ▶ call ▶ bank of detectors ▶ GATE ▶ store
//!                                                              ▲ one for each party       ▲ thousands of calls a thread
//!  HTTP API, keys, signalling ─────────────────────────────────┴─────── what was said ────┘
//! ```
//!
//! A page for each switch lies in `samples/switch/`; a whole configuration and a systemd unit in `samples/serve/`. What of a
//! configuration is in force, with what the keys mean, says `oneside check --config FILE`: a line for each source with its address,
//! TLS and list of who may come, what becomes of the customer's sound, and which side is which; the limits, and the memory that
//! `calls_max` calls take. It goes by the rules by which `serve` starts, with the same errors and exit codes, and opens nothing.
//!
//! # Who is who
//!
//! Never by the place of a channel or the order of streams. The protocol tells it (AudioHook: channel 0 external, 1
//! internal; SIPREC: label → stream → participant; AudioSocket: the UUID that was announced), or the configuration has to
//! (SIPREC's `agent_aor`, a route's `side`, `agent_channel`, `agent_track`). Where it is unknown or contradicted the call is
//! taken, so that the switch is not disturbed, and nothing of it is kept: `side_unknown`, `quarantined`.
//!
//! # The customer's sound before the gate
//!
//! `reference` of each source says what becomes of it, and the manifest says it again:
//!
//! | | |
//! |---|---|
//! | `guard` (default) | decoded into the ring and the bleed guard's window, in memory; the guard tells the customer's voice in the agent's stream |
//! | `drop-before-decode` | the payload is thrown away undecoded (`undecoded`, intended) unless a grant stands; leak `not measurable` |
//! | `none` | it never comes here |
//!
//! Keys of the customer (RFC 4733, AudioSocket, JSON) are read in each case, but for rtpengine with `drop-before-decode`: there the
//! customer is not subscribed to at all before a grant, which has to come by the API.
//!
//! # Pace
//!
//! A client that was asked for one party and sends both is told by nothing but its pace. Each stream is held against the
//! clock: more than 5 % faster and half a second ahead (streams without time stamps: one burst ahead) is `too_fast`, both
//! sides are withheld, and nothing of the call is kept: twice the pace is found out within half a second or one; by the same reckoning 10 % too fast after
//! some 10 s, 6 % after some 50. A pause is no fault; a stream may catch up on 20 s after a stall. What
//! comes in the first 2 s waits in the ring until its pace is plausible. So a yes in the first 2 s counts from what comes
//! after them on the line, never from what waited.
//!
//! # Time
//!
//! * RTP, Twilio, Telnyx keep their own line: by time stamps, reordered, silence of the same length where something is lost.
//!   RTP waits for what is late (`delay_ms`, 250 ms; with more than 400 a kill loses more than a second).
//! * The others have no time stamps: the arrival clock of [`live`](super::live) places what comes. Of two connections of a call
//!   one is waited for as long as the other's ring allows (3 s of the default 5 s; a ring holds 4.5 s whatever `ring_ms` says);
//!   then silence stands for it, and what comes of it later than that is left out and counted as lost.
//! * `oneside replay` of a call whose parties came apart needs `--other-sound`: nobody has the bytes that were joined, so there is
//!   no digest of them, which would be a mark of a voice that was not kept.
//!
//! # Consent
//!
//! * **Keys** (`[keys]`): a key that grants counts only from the customer's own leg, and only while the question is open: from
//!   `told` on for `question_s`, until somebody joins, leaves, or the call is held. A key that refuses or withdraws always counts.
//!   Signalled keys are known to be whose they are; of one that is only heard the louder side counts, and a tone that would
//!   grant waits 200 ms for the other side's. So an echo opens nothing; one that is heard before what it is an echo of may
//!   shut, since a no is not delayed. The tones themselves are left out of both tracks (`tone`, PAY-05).
//! * **The HTTP API**: `POST /v1/calls/{call}/told` and so on; the call's name is the one that was announced, or the source's.
//! * **Metadata** (AudioHook, jambonz, Twilio) counts only if the configuration names the word that means yes.
//! * **A standing token** by the API (`granted`, `act: token`).
//! * A transfer, a hold, a re-INVITE, a second connection never opens anything.
//!
//! # Limits and faults
//!
//! | what happens | what is done |
//! |---|---|
//! | more than `calls_max` calls; an unknown UUID; the disk is full | the call is declined with a counted reason and entered in `not-recorded.jsonl`; AudioSocket is sent `00 00 00`, so the dialplan goes on; SIPREC gets 503 |
//! | a client stalls, floods, lies about a length, breaks off | its connection ends; what stood of the call is sealed |
//! | a party was announced and never comes (a customer who refused or withdrew is not waited for) | the call goes on: of a customer who never came the agent is kept, with nothing to compare with (leak `not measurable`); of an agent who never came the track is empty. The manifest has the finding `party_missing`, the call's end `party_missing`, the log says it, and it is counted |
//! | connections that say nothing | they end in time, and there is a limit to them for each listener |
//! | a panic in a call | that call alone is sealed as interrupted |
//! | a disk that stalls | its shard waits, for a checkpoint and for an erasure, which is durable before it is told; sound waits in the rings (`ring_ms`), then is lost, counted. The sockets are drained all the time; an AudioSocket call that is still being begun holds its latest 2 s |
//! | SIGTERM | no call begins; what had arrived is laid, and the calls in hand are sealed within `drain_s`; `close` does the same to one of them |
//! | SIGHUP | the configuration is read again; it counts for calls that begin from then on. A token that is revoked now ends, as a withdrawal (of the customer's, as the ledger reads), what stands on it in calls in hand; what was granted anew by another act stays. Listeners, limits, `out`, `layout`, the detector and the API need a restart: a changed `out`, `layout`, `vad_mode` or `detector` is named in the line that tells of the reload |
//! | `kill -9` | the next start seals what stood: at most a second of each agent is lost |
//!
//! **`oneside reconcile CALLS.csv --store DIR`** holds the switch's own list against what became of each call: recorded,
//! quarantined, interrupted, erased, or not recorded for a reason. It names every call that has no definite result (FIN-02).
//!
//! # Listeners
//!
//! What other machines reach needs TLS; HTTP also a token. AudioSocket, RTP and SIP over UDP have no TLS: there `allow` says who
//! may come. Without either the start is refused (SEC-03) before anything is opened, unless `[danger] plain_listeners = true` says that the network is
//! trusted; that is told at each start.
//!
//! # What it costs
//!
//! Memory: at 8 kHz 160 KiB of rings (`ring_ms`) and about 100 KiB more a call with both parties; a server without calls has about 20 MiB.
//! By that 1,000 calls take some 280 MiB. `calls_max` bounds it; what is over the limit is declined.
//!
//! Sockets of RTP are read every 60 ms, a worker settles a call's frames every 120 ms (every 20 ms where a stream has no time
//! stamps), 16 calls at a time: what a call needs is fetched from memory once for several frames. The README has figures.
//! Tried and left out: touching what the next call needs before it is its turn (7 % of receiving, 3 % in all); reading several
//! datagrams of a socket in one call of the system (no gain on loopback).
//!
//! # Logs and figures
//!
//! A line when a call begins, ends, or is declined, with its name and stable words; `--json` for machines. No number, no
//! name of a person, no address of a record. Call names are the announcer's: do not put numbers into them, or store them hashed
//! (`names = "hash"`).
//!
//! **`GET /health`** asks for no token, and answers in JSON:
//!
//! | status | body | when |
//! |---|---|---|
//! | 200 | `{"status":"ok"}` | every call in hand is treated as it should be (recorded, paused, private, outside its window, quarantined), or there is none |
//! | 503 | `{"status":"not_recording"}` | of at least one call in hand nothing is being recorded that should be: its store has failed, its worker has stood still for 900 ms (a disk that does not answer), its device is gone; of `oneside record` also while no call is in hand, if a device or a rule keeps calls from being recorded |
//! | 403 | a problem (RFC 9457) | the request names a host that the machine is not known by (`names`), or comes from a page of another site |
//!
//! Behind a media server it tells of calls in hand alone: calls that are declined because the limit is reached or the disk is full leave it at 200 and
//! are counted (`oneside_calls_declined_total`). It becomes 200 again when the call that failed has ended. For a balancer or a
//! watchdog: no answer, or 503 for longer than a few seconds, is a reason to look, not to restart; a restart ends the other calls.
//!
//! **`GET /metrics`** (with the token, if one is configured), Prometheus' text format 0.0.4. What ends in `_total` never goes
//! back while the server runs, and begins at 0 with it:
//!
//! | metric | what it counts |
//! |---|---|
//! | `oneside_calls_opened_total`, `oneside_calls_ended_total{result}` | calls; how they ended |
//! | `oneside_calls_begun_total{source}`, `oneside_calls_declined_total{source,reason}`, `oneside_calls_unlisted_total` | calls by source; those that are not recorded and why; of them those that could not even be entered in the list |
//! | `oneside_frames_total{party,outcome}` | sample frames of the agent and of the customer by what became of them, in the words of the manifest's tally (`written`, `erased`, `not_speech`, `bleed`, `no_decision`, `refused` …). A call's are added when it is sealed; what is in hand is not in it |
//! | `oneside_lost_frames_total{reason,intended}` | sample frames of the source, of either party, that came to nothing on their way (`lost`; with intent `absent`, `undecoded`). Added when the call is sealed |
//! | `oneside_party_missing_total{party}` | calls of which nothing of that party ever came although it was to come (finding `party_missing`). Added when the call is sealed |
//! | `oneside_events_total{outcome}` | what was asked of calls by the API: `counted`, `rejected` |
//! | `oneside_leak_residual_db{quantile}` | gauge: leak of the last calls (at most 256) of which it could be measured |
//! | `oneside_calls{recording}`, `oneside_calls_customer{stored,why}`, `oneside_calls_told` | gauges: the calls in hand, by whether the agent is recorded, by the customer's door, those whose customer was told |
//! | `oneside_calls_lost_frames{reason,intended}` | gauge: as `oneside_lost_frames_total`, of the calls in hand |
//! | `oneside_free_bytes` | gauge: room where recordings go, the least that a call in hand found when it began |
//! | `oneside_sweep_seconds` | histogram: how long a worker's turn took; one comes every 5 ms while it has calls |
//! | `oneside_sweeps_total`, `oneside_sweep_ms{quantile}` | the same as a count, and as a gauge of quantiles since the start |
//! | `oneside_rtp_packets_total{what}` | RTP, by what was made of it: `packets` that counted, `late`, `foreign` …; as of at most 200 ms ago |
//! | `oneside_rtp_packets_lost` | RTP packets that were sent and have not come; it falls when one comes late |
//! | `oneside_connections_total{source,outcome}` | who knocked at a listener: `accepted`, `not_allowed`, `too_many`, `no_handshake` |
//! | `oneside_websocket_requests_total{source,outcome}` | requests to open a WebSocket: `opened`, `unfinished`, `no_route`, `unauthorized` |
//! | `oneside_audiosocket_faults_total{source,what}` | what AudioSocket's clients did wrong: `unknown` and `malformed` messages, a told `error`, a message that was `torn`, sound of an `other_coding`, messages that came too `early` |
//! | `oneside_http_answers_total{code}` | answers of the API |
