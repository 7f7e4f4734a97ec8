//! The store has no verb that takes samples: only what the gate cleared.
use oneside::audio::{Agent, Frame, MediaTime};
use oneside::call::Outlet;
use oneside::store::Recorder;

fn store(recorder: &mut Recorder, samples: &[i16]) {
    let frame: Frame<'_, Agent> = Frame::new(MediaTime(0), samples);
    recorder.write(frame);
    recorder.write(samples);
}

fn main() {}
