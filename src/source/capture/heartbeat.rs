//! What a device's callback tells the other threads: that it lives, how far it is, what went wrong. Atomics only.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

use cpal::ErrorKind;

use crate::audio::align::Stamp;

/// What is known of a device. Its worker looks here to notice within 1 s that it is gone (ROB-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Condition {
    /// Opened; nothing came yet.
    Opening,
    /// It delivers. A loopback that delivers only while something sounds is live in between, too.
    Live,
    /// Its callbacks stopped without a word. It is being opened again.
    Stalled,
    /// It said that it is gone, or it is not there any more. It is opened again when it returns.
    Lost,
    /// The capture is over.
    Ended,
}

const CONDITIONS: [Condition; 5] =
    [Condition::Opening, Condition::Live, Condition::Stalled, Condition::Lost, Condition::Ended];

const ERRORS: [(ErrorKind, &str); 13] = [
    (ErrorKind::DeviceBusy, "another program has the device"),
    (ErrorKind::DeviceChanged, "the system moved the stream to another device"),
    (ErrorKind::DeviceNotAvailable, "the device is not there any more"),
    (ErrorKind::HostUnavailable, "the sound system does not answer"),
    (ErrorKind::InvalidInput, "the device refused its settings"),
    (ErrorKind::PermissionDenied, "the system denies access to the device"),
    (ErrorKind::RealtimeDenied, "the system denies real-time priority"),
    (ErrorKind::ResourceExhausted, "the system has no more room for streams"),
    (ErrorKind::StreamInvalidated, "the device changed its settings"),
    (ErrorKind::UnsupportedConfig, "the device does not support its settings any more"),
    (ErrorKind::UnsupportedOperation, "the device cannot be listened to"),
    (ErrorKind::Xrun, "the device lost sound because it was not read in time"),
    (ErrorKind::BackendError, "the sound system reported an error"),
];
/// Any other error, and none.
const OTHER: u32 = u32::MAX;
const NONE: u32 = 0;

/// A device's signs of life. Written by its callback and by the thread that watches it, read by anybody.
#[derive(Debug)]
pub struct Heartbeat {
    callbacks: AtomicU64,
    longest: AtomicU64,
    delay_ns: AtomicU64,
    xruns: AtomicU64,
    losses: AtomicU64,
    condition: AtomicU8,
    error: AtomicU32,
    epoch: AtomicU32,
    /// From the stream's clock to ours, nanoseconds.
    clock_offset: AtomicI64,
    /// The stream's clock makes no sense: arrivals are dated instead.
    by_arrival: AtomicBool,
    /// Odd while the stamp is being written.
    sequence: AtomicU64,
    stamp_frames: AtomicU64,
    stamp_nanos: AtomicU64,
    stamp_epoch: AtomicU32,
}

impl Heartbeat {
    /// Of a device that was not opened yet.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Heartbeat {
        Heartbeat {
            callbacks: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            delay_ns: AtomicU64::new(0),
            xruns: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            condition: AtomicU8::new(Condition::Opening as u8),
            error: AtomicU32::new(NONE),
            epoch: AtomicU32::new(0),
            clock_offset: AtomicI64::new(0),
            by_arrival: AtomicBool::new(false),
            sequence: AtomicU64::new(0),
            stamp_frames: AtomicU64::new(0),
            stamp_nanos: AtomicU64::new(0),
            stamp_epoch: AtomicU32::new(0),
        }
    }

    /// What is known of the device.
    pub fn condition(&self) -> Condition {
        CONDITIONS[usize::from(self.condition.load(Ordering::Acquire))]
    }

    pub(super) fn set_condition(&self, condition: Condition) {
        self.condition.store(condition as u8, Ordering::Release);
    }

    /// Callbacks so far.
    pub fn callbacks(&self) -> u64 {
        self.callbacks.load(Ordering::Acquire)
    }

    /// Frames in the longest callback: the device's own buffer, as it turned out.
    pub fn longest_callback(&self) -> u64 {
        self.longest.load(Ordering::Relaxed)
    }

    /// Longest time between a frame's capture and its callback, nanoseconds, as the sound system reports it: what lies
    /// before our ring.
    pub fn device_delay_ns(&self) -> u64 {
        self.delay_ns.load(Ordering::Relaxed)
    }

    /// Times the device lost sound because it was not read in time.
    pub fn xruns(&self) -> u64 {
        self.xruns.load(Ordering::Relaxed)
    }

    /// Times the device stalled or was gone.
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// What went wrong last: a sentence without personal values.
    pub fn last_error(&self) -> Option<&'static str> {
        match self.error.load(Ordering::Acquire) {
            NONE => None,
            OTHER => Some("the sound system reported an unknown error"),
            number => ERRORS.get(number as usize - 1).map(|(_, text)| *text),
        }
    }

    /// How far the device is; `None` before its first callback. For [`Aligner::stamp`](crate::audio::align::Aligner).
    pub fn stamp(&self) -> Option<Stamp> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before == 0 {
                return None;
            }
            let stamp = Stamp {
                frames: self.stamp_frames.load(Ordering::Relaxed),
                nanos: self.stamp_nanos.load(Ordering::Relaxed),
                epoch: self.stamp_epoch.load(Ordering::Relaxed),
            };
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                return Some(stamp);
            }
            std::hint::spin_loop(); // the callback is between two stores
        }
    }

    /// A callback of `length` frames brought the device to `frames`, the last of them captured at `nanos`. Wait-free.
    pub(super) fn beat(&self, length: u64, frames: u64, nanos: u64) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.stamp_frames.store(frames, Ordering::Relaxed);
        self.stamp_nanos.store(nanos, Ordering::Relaxed);
        self.stamp_epoch.store(self.epoch.load(Ordering::Relaxed), Ordering::Relaxed);
        self.sequence.store(sequence + 2, Ordering::Release);
        self.longest.fetch_max(length, Ordering::Relaxed);
        self.callbacks.fetch_add(1, Ordering::Release);
    }

    pub(super) fn delayed(&self, nanos: u64) {
        self.delay_ns.fetch_max(nanos, Ordering::Relaxed);
    }

    /// The stream began anew: its places need not fit its clock.
    pub(super) fn begin_anew(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lose(&self, condition: Condition) {
        self.losses.fetch_add(1, Ordering::Relaxed);
        self.set_condition(condition);
    }

    pub(super) fn fail(&self, kind: ErrorKind) {
        let number = ERRORS.iter().position(|(known, _)| *known == kind).map_or(OTHER, |at| at as u32 + 1);
        if kind == ErrorKind::Xrun {
            self.xruns.fetch_add(1, Ordering::Relaxed);
            self.begin_anew();
        }
        self.error.store(number, Ordering::Release);
    }

    /// Whether an error stands that ends the stream. An overrun or a refused priority does not.
    pub(super) fn has_failed(&self) -> bool {
        let passing = [ErrorKind::Xrun, ErrorKind::RealtimeDenied];
        match self.error.load(Ordering::Acquire) {
            NONE => false,
            OTHER => true,
            number => !passing.contains(&ERRORS[number as usize - 1].0),
        }
    }

    pub(super) fn forgive(&self) {
        self.error.store(NONE, Ordering::Release);
    }

    pub(super) fn set_clock(&self, offset: i64, by_arrival: bool) {
        self.clock_offset.store(offset, Ordering::Relaxed);
        self.by_arrival.store(by_arrival, Ordering::Release);
    }

    /// From the stream's clock to ours; `None` if that is not to be trusted.
    pub(super) fn clock_offset(&self) -> Option<i64> {
        (!self.by_arrival.load(Ordering::Acquire)).then(|| self.clock_offset.load(Ordering::Relaxed))
    }
}
