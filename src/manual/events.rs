//! How consent reaches the program.
//!
//! `NAME.events.jsonl` beside `NAME.wav`, or `--events FILE` for all calls: one JSON object a line. `oneside schema`
//! prints the JSON Schema of a line; a test holds it and the parser together.
//!
//! ```json
//! {"call":"NAME","event":"opened","start":"2026-03-01T09:00:00+01:00","agent_channel":"left","sensitive":false}
//! {"call":"NAME","at":12.34,"event":"told","notice":"std","version":3,"language":"sv"}
//! {"call":"NAME","at":15.0,"event":"granted","act":"dtmf","digit":"1","purpose":"training"}
//! {"call":"NAME","at":71.5,"event":"withdrawn"}
//! ```
//!
//! * `at`: seconds on the agent file's time line, or wall-clock time (RFC 3339) where the call's start is given.
//! * `call`: needed in a file for all calls; in a file beside the recording it may be left out.
//! * `party`: who, where there is more than one remote party; left out, it is the first (`customer`). `told` without
//!   `party` reaches everyone then on the line.
//!
//! | event | fields |
//! |---|---|
//! | `opened` | `start`, `agent_channel`, `sensitive`, all optional |
//! | `told` | `notice`, `version`; `language`, `party` optional |
//! | `granted` | `act` and its fields, `purpose` or `purposes`; `party`, `basis` with `basis_ref` optional |
//! | `refused`, `withdrawn` | `party` optional; `withdrawn` also `purpose` or `purposes` |
//! | `joined`, `left` | `party` |
//! | `paused`, `resumed`, `held`, `retrieved`, `hung_up` | none |
//! | `masked` | `seconds`, a whole number from 1 to 3600: both sides are left out from that many seconds before `at` up to `at` |
//! | `private`, `private_ended` | none; a private stretch stops both sides like a pause, and each ends only by its own word |
//!
//! | act | fields |
//! |---|---|
//! | `dtmf` | `digit` |
//! | `spoken_yes` | `agent`, `question` optional |
//! | `button` | `agent` optional |
//! | `api` | `source` optional |
//! | `token` | `token`, `expires` (RFC 3339) |
//!
//! What is not in these lists cannot open the door: an unknown event or act is written to the ledger as rejected, with
//! its reason, and counts for nothing (CON-02). What cannot be placed at all (no JSON, no `at`, a key that does not
//! exist, a call that is not among the inputs) is an error that names file and line, and nothing of that call is
//! recorded: without its events a pause could not be kept. The recording itself is untouched, so nothing is lost.
//!
//! # Tables from a CRM
//!
//! ```text
//! --events crm.csv --map 'call=call_id,at=time_s,event=type,act=how,digit=digit,purpose=purpose,notice=announcement,version=version'
//! ```
//!
//! says which column is what. Those of the announcement (`notice`, `version`) belong to it: without them nobody was told,
//! and no grant counts. `key==value` sets a constant, and `key:VALUE=word` translates a value of that column
//! (`event:JA=granted`). See [`ColumnMap`](crate::source::ColumnMap).
