//! tmp
#[path = "it/door_live.rs"]
mod door_live;
#[path = "it/door_oracle.rs"]
mod door_oracle;
#[path = "it/door_tones.rs"]
mod door_tones;
#[path = "it/tones.rs"]
mod tones;
#[path = "it/door_switch.rs"]
mod door_switch;
