//! Black-box tests of the library and the command, one file a subject.

mod archive;
mod canary;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod capture;
mod common;
mod compile_fail;
mod crashes;
mod desk;
mod door_oracle;
mod door_rules;
mod encode;
mod evaluate;
mod faults;
mod hardening;
mod hunt;
mod manual;
mod memory;
mod resume;
