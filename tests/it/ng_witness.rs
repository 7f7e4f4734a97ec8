//! Somebody else who listens to a party of rtpengine: what was really sent, to compare with what was stored.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use oneside::source::wire::bencode::Value as Ben;
use oneside::source::wire::ng::{accept, offer};
use oneside::source::wire::rtp::parse;

use super::encode;
use super::sip_switch::Switch;

/// Listens until it is asked.
pub struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Heard>,
}

/// What was sent.
#[derive(Default)]
pub struct Heard {
    /// From the first packet on; silence where none came.
    pub sound: Vec<i16>,
    /// Keys: the event code, and the place in `sound` at which it was released. Each once.
    pub keys: Vec<(u8, usize)>,
    /// Time stamp of the first packet.
    first: Option<u32>,
}

impl Witness {
    /// Begins to listen to the customer of a call.
    pub fn begin(switch: &Switch, call_id: &str) -> Witness {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let at = socket.local_addr().unwrap();
        let tag = switch.tag(call_id, "customer").expect("the customer");
        let about = vec![
            ("call-id", call_id.into()),
            ("from-tag", tag.as_str().into()),
            ("flags", Ben::texts(["SIPREC"])), // labels in the answer
        ];
        let offered = switch.ng("subscribe request", about, |answer| offer(answer, &tag)).expect("an answer");
        let offered = offered.expect("an offer");
        let sdp = accept(&offered.media, at, false);
        let taken =
            vec![("call-id", call_id.into()), ("to-tag", offered.to_tag.as_str().into()), ("sdp", sdp.as_str().into())];
        switch.ng("subscribe answer", taken, |_| ()).expect("it is taken");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut heard, mut datagram) = (Heard::default(), [0; 2_048]);
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(length) = socket.recv(&mut datagram) {
                    heard.packet(&datagram[..length]);
                }
            }
            heard
        });
        Witness { stop, thread }
    }

    /// Stops: what it heard.
    pub fn end(self) -> Heard {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Heard {
    fn packet(&mut self, datagram: &[u8]) {
        let Ok((header, payload)) = parse(datagram) else { return };
        match header.payload_type {
            0 => {
                let first = *self.first.get_or_insert(header.timestamp);
                let place = header.timestamp.wrapping_sub(first) as usize;
                assert!(place < 100 * 8_000, "time stamps go on");
                self.sound.resize(self.sound.len().max(place + payload.len()), 0);
                for (sample, law) in self.sound[place..].iter_mut().zip(payload) {
                    *sample = encode::from_mulaw(*law);
                }
            }
            101 if payload[1] & 0x80 != 0 => {
                let released = header.timestamp.wrapping_add(u16::from_be_bytes([payload[2], payload[3]]).into());
                let Some(first) = self.first else { return };
                let key = (payload[0], released.wrapping_sub(first) as usize);
                if !self.keys.contains(&key) {
                    self.keys.push(key);
                }
            }
            _ => {}
        }
    }

    /// Where a key was released.
    pub fn key(&self, code: u8) -> usize {
        self.keys.iter().find(|key| key.0 == code).unwrap_or_else(|| panic!("{code}: {:?}", self.keys)).1
    }

    /// Finds stored sound in what was sent: the places of its first and last sample there. All between lies where it was
    /// said.
    pub fn place(&self, stored: &[i16]) -> (usize, usize) {
        let kept: Vec<usize> = (0..stored.len()).filter(|n| stored[*n] != 0).collect();
        let (first, last) = (kept[0], kept[kept.len() - 1]);
        let beginning = &stored[first..first + 64];
        let from = self.sound.windows(64).position(|heard| heard == beginning).expect("it was said");
        for n in kept {
            assert_eq!(stored[n], self.sound[from + n - first], "sample {n} of what is stored");
        }
        (from, from + last - first)
    }
}
