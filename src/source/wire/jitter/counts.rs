//! What is counted of a stream.

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New packets, late ones among them.
    pub packets: u64,
    /// Packets that were sent and never came.
    pub lost: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came when their place had passed.
    pub late: u64,
    /// Packets for which there was no room.
    pub overflow: u64,
    /// Packets of the sender before.
    pub stragglers: u64,
    /// Changes of the sender.
    pub senders: u64,
    /// Segments that began because time stamps or sequence numbers jumped.
    pub jumps: u64,
    /// Steps that followed drifting clocks.
    pub steps: u64,
}
