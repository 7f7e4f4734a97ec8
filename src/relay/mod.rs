//! The conversation, handed on: what a pipe stage passes through is the call, not the recording (ROB-06).
//!
//! A small room of its own. It takes borrowed bytes of the input and a descriptor that was open already and is no
//! regular file; it reaches no store, and no store reaches it. Nothing in the recorder can hold it up: it runs on the
//! source's thread, before the recorder sees a byte.

use std::io::{self, ErrorKind, Write};

use thiserror::Error;

/// What is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassThrough {
    /// Every byte as it came.
    Original,
    /// The same layout with everybody's samples but the agent's replaced by silence.
    Agent,
}

/// How the sound lies in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Interleaved channels.
    pub channels: usize,
    /// Bytes of a sample.
    pub sample_bytes: usize,
    /// The agent's channel, if it has one.
    pub agent: Option<usize>,
    /// The byte of which silence is made: 0, or the code of zero in G.711.
    pub silence: u8,
}

/// Why nothing can be handed on.
#[derive(Debug, Error)]
pub enum RelayError {
    /// Standard output is a file on a disk.
    #[error(
        "standard output is a regular file: what passes through is the whole call, and would be kept there without \
         anybody's consent. Send it to a pipe or a socket, or set `pass_through_to_file = true` under [danger]"
    )]
    RegularFile,
    /// The system cannot say what standard output is.
    #[error("standard output cannot be used: {0}")]
    Unusable(io::Error),
}

/// Hands on to standard output.
pub struct Relay {
    what: PassThrough,
    out: Box<dyn Write + Send>,
    open: bool,
    scratch: Vec<u8>,
}

impl Relay {
    /// A relay to standard output, which must be no regular file unless `danger` allows it.
    pub fn to_stdout(what: PassThrough, danger: bool) -> Result<Relay, RelayError> {
        if !danger && is_regular_file().map_err(RelayError::Unusable)? {
            return Err(RelayError::RegularFile);
        }
        Ok(Relay::new(what, Box::new(Stdout)))
    }

    /// A relay to anything else.
    pub fn new(what: PassThrough, out: Box<dyn Write + Send>) -> Relay {
        Relay { what, out, open: true, scratch: Vec::new() }
    }

    /// Whether somebody still listens.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Hands on bytes that are not sound: a header.
    pub fn head(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }

    /// Hands on what lies behind the sound. Of the agent's side alone nothing does: it may be half a sample frame.
    pub fn rest(&mut self, bytes: &[u8]) {
        if self.what == PassThrough::Original {
            self.write(bytes);
        }
    }

    /// Hands on whole sample frames.
    pub fn sound(&mut self, bytes: &[u8], layout: Layout) {
        match self.what {
            PassThrough::Original => self.write(bytes),
            PassThrough::Agent => {
                let mut scratch = std::mem::take(&mut self.scratch);
                scratch.clear();
                scratch.extend_from_slice(bytes);
                silence_others(&mut scratch, layout);
                self.write(&scratch);
                scratch.fill(0);
                self.scratch = scratch;
            }
        }
    }

    /// Writes all of it. Who listens may go; the call and its recording go on.
    fn write(&mut self, bytes: &[u8]) {
        if !self.open {
            return;
        }
        if self.out.write_all(bytes).and_then(|()| self.out.flush()).is_err() {
            self.open = false;
        }
    }
}

fn silence_others(bytes: &mut [u8], layout: Layout) {
    let Layout { channels, sample_bytes, agent, silence } = layout;
    for frame in bytes.chunks_exact_mut(channels * sample_bytes) {
        for (channel, sample) in frame.chunks_exact_mut(sample_bytes).enumerate() {
            if agent != Some(channel) {
                sample.fill(silence);
            }
        }
    }
}

/// Standard output without the line buffer of the standard library, which would keep sound back until a byte 10 comes.
struct Stdout;

#[cfg(unix)]
impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(rustix::stdio::stdout(), bytes).map_err(io::Error::from) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody made it non-blocking: the call waits for its listener as it would for a blocking one.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whoever listens hears the end when the conversation ends, not when its recording is sealed, which a slow disk may
/// hold up. Nothing else is said on standard output, so it may go where standard error goes.
#[cfg(unix)]
impl Drop for Stdout {
    fn drop(&mut self) {
        let _ = rustix::stdio::dup2_stdout(rustix::stdio::stderr());
    }
}

#[cfg(not(unix))]
impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match io::stdout().write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

#[cfg(unix)]
fn is_regular_file() -> io::Result<bool> {
    use rustix::fs::FileType;
    let stat = rustix::fs::fstat(rustix::stdio::stdout())?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

#[cfg(windows)]
fn is_regular_file() -> io::Result<bool> {
    Ok(winapi_util::file::typ(winapi_util::HandleRef::stdout())?.is_disk())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Taker(Arc<Mutex<Vec<u8>>>, bool);

    impl Write for Taker {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.1 {
                return Err(ErrorKind::BrokenPipe.into());
            }
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const STEREO: Layout = Layout { channels: 2, sample_bytes: 2, agent: Some(0), silence: 0 };

    #[test]
    fn the_original_passes_as_it_came() {
        let taker = Taker::default();
        let mut relay = Relay::new(PassThrough::Original, Box::new(taker.clone()));
        relay.head(b"RIFF");
        relay.sound(&[1, 2, 3, 4], STEREO);
        assert_eq!(*taker.0.lock().unwrap(), b"RIFF\x01\x02\x03\x04");
    }

    #[test]
    fn of_the_others_silence_passes() {
        let taker = Taker::default();
        let mut relay = Relay::new(PassThrough::Agent, Box::new(taker.clone()));
        relay.sound(&[1, 2, 3, 4, 5, 6, 7, 8], STEREO);
        relay.sound(&[9, 9], Layout { channels: 2, sample_bytes: 1, agent: Some(1), silence: 0xFF });
        relay.sound(&[9, 9], Layout { channels: 1, sample_bytes: 2, agent: None, silence: 0 });
        assert_eq!(*taker.0.lock().unwrap(), [1, 2, 0, 0, 5, 6, 0, 0, 0xFF, 9, 0, 0]);
    }

    #[test]
    fn who_listens_may_go() {
        let mut relay = Relay::new(PassThrough::Original, Box::new(Taker(Arc::default(), true)));
        relay.sound(&[0; 4], STEREO);
        assert!(!relay.is_open());
        relay.sound(&[0; 4], STEREO);
    }
}
