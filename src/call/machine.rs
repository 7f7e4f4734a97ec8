//! The machine.
/// One call.
pub struct Call;
