//! Black-box tests of the library and the command, one file a subject.

mod archive;
mod canary;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod capture;
mod common;
mod compile_fail;
mod crashes;
mod desk;
mod door_live;
mod door_oracle;
mod door_rules;
mod encode;
mod evaluate;
#[cfg(feature = "http")]
mod fake_call;
mod faults;
mod hardening;
#[cfg(feature = "http")]
mod http;
mod hunt;
mod in_hand;
mod manual;
mod memory;
mod resume;
#[cfg(all(unix, feature = "http"))]
mod switch;
