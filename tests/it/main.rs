//! Black-box tests of the library and the command, one file a subject.

mod compile_fail;
mod crashes;
mod door_oracle;
mod door_rules;
mod evaluate;
