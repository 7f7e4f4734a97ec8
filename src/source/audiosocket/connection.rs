//! One AudioSocket connection, from its UUID to its end.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroize;

use super::held::{Held, Kept};
use super::registry::Id;
use super::{Counts, Expected, SOURCE, Shared};
use crate::consent::Event;
use crate::ring::Why;
use crate::source::exchange::{Arrival, Arriving, CallLine, Declined, Leg, Legs, Party, Placing};
use crate::source::listen::Stream;
use crate::source::wire::audiosocket::{Coding, DIGIT, Decoder, HANGUP, Judge, Message};
use crate::split::Finding;

/// Time for the UUID: Asterisk says it as soon as it is connected.
const ID_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked whether the call was closed on our side.
const LOOK: Duration = Duration::from_millis(200);
/// Time for the other end to take our leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// The longest that sound waits in Asterisk and on its way, ms: what it had to say while the connection was made.
const WORST_MS: u32 = 500;
/// The longest burst that is usual, ms.
const BURST_MS: u32 = 500;
/// Keys that are pressed before the first sound, at most.
const EARLY_MAX: usize = 32;
/// Highest rate of a call, Hz. Two higher ones are averaged down to it.
const RATE_MAX_HZ: u32 = 48_000;
/// Samples decoded at a time.
const PIECE: usize = 960;

/// Serves a connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, stream: Stream) {
    let mut connection = Connection {
        shared,
        stream,
        decoder: Decoder::default(),
        seat: None,
        held: Held::default(),
        early: Vec::new(),
        began: Instant::now(),
        piece: vec![0; PIECE],
    };
    connection.run().await;
    connection.piece.zeroize();
    // Its stream ends here.
    if let Some(Seat { leg, line, .. }) = connection.seat.take() {
        drop(leg);
        connection.shared.rendezvous.left(&line);
    }
}

struct Connection {
    shared: Arc<Shared>,
    stream: Stream,
    decoder: Decoder,
    seat: Option<Seat>,
    /// What came while the call was being begun.
    held: Held,
    /// Keys that were pressed before there was a call to tell them to.
    early: Vec<char>,
    began: Instant,
    piece: Vec<i16>,
}

/// The place of the connection in its call.
struct Seat {
    leg: Leg,
    line: CallLine,
    party: Party,
    rate_hz: u32,
    judge: Judge,
    shut: bool,
}

/// How sound came.
#[derive(Clone, Copy)]
struct Came {
    /// So long after the connection was made.
    after: Duration,
    /// When it is laid.
    now: Instant,
    /// It was held while the call was being begun.
    held: bool,
}

/// What is to be done after a message.
enum Next {
    GoOn,
    /// The other end has hung up.
    Ended,
    /// We do.
    Leave,
}

impl Connection {
    /// To the end.
    async fn run(&mut self) {
        let id = match tokio::time::timeout(ID_WITHIN, self.id()).await {
            Ok(Ok(Some(id))) => id,
            Ok(Err(_)) => return,
            Ok(Ok(None)) | Err(_) => {
                self.shared.exchange.declined(SOURCE, "no_uuid", None);
                return self.leave().await;
            }
        };
        let Some(expected) = self.expected(id).await else {
            self.shared.exchange.declined(SOURCE, "unknown", None);
            return self.leave().await;
        };
        match self.listen(&expected).await {
            Next::Leave => self.leave().await,
            Next::GoOn | Next::Ended => {}
        }
    }

    /// The UUID; nothing if something else comes first.
    async fn id(&mut self) -> io::Result<Option<Id>> {
        loop {
            if let Some(message) = self.decoder.take() {
                return Ok(if let Message::Id(id) = message { Some(id) } else { None });
            }
            if self.read().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn expected(&mut self, id: Id) -> Option<Expected> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.registry.find(&id)).await.ok().flatten()
    }

    async fn read(&mut self) -> io::Result<usize> {
        let bytes = self.stream.read(self.decoder.room()).await?;
        self.decoder.filled(bytes);
        Ok(bytes)
    }

    /// Takes in what comes until either end is at its end.
    async fn listen(&mut self, expected: &Expected) -> Next {
        let stop = self.shared.stop.clone();
        let mut stopped = pin!(stop.cancelled());
        let mut look = tokio::time::interval(LOOK);
        loop {
            match self.take(expected).await {
                Next::GoOn => {}
                end => return end,
            }
            // What is read is in the decoder when `read` is ready: nothing is lost by asking the others first.
            let read = tokio::select! {
                () = &mut stopped => return Next::Leave,
                _ = look.tick() => {
                    if self.seat.as_ref().is_some_and(|seat| seat.line.is_over()) {
                        return Next::Leave;
                    }
                    continue;
                }
                read = self.stream.read(self.decoder.room()) => read,
            };
            match read {
                Ok(bytes @ 1..) => self.decoder.filled(bytes),
                Ok(0) | Err(_) => {
                    if self.decoder.rest() > 0 {
                        Counts::add(&self.shared.counts.torn);
                    }
                    self.customer_gone();
                    return Next::Ended;
                }
            }
        }
    }

    /// Takes in every message that is whole.
    async fn take(&mut self, expected: &Expected) -> Next {
        let mut now = Instant::now();
        loop {
            // The first sound tells the rate, and begins the call. The exchange has counted one that it declines.
            if self.seat.is_none()
                && let Some(rate_hz) = self.decoder.sound_next()
            {
                if self.begin(expected, rate_hz).await.is_err() {
                    return Next::Leave;
                }
                now = Instant::now();
            }
            // What came while it was begun comes first.
            let kept = self.held.pop();
            let message = kept.as_ref().map(Kept::message).or_else(|| self.decoder.take());
            let Some(message) = message else { return Next::GoOn };
            let next = match (message, &mut self.seat) {
                (Message::Sound { rate_hz, payload }, Some(seat)) => {
                    let after = kept.as_ref().map_or(now, |kept| kept.at) - self.began;
                    let came = Came { after, now, held: kept.is_some() };
                    seat.hear(rate_hz, payload, came, &self.shared, &mut self.piece);
                    Next::GoOn
                }
                (message, seat) => said(message, seat.as_ref(), expected.party, &mut self.early, &self.shared),
            };
            if !matches!(next, Next::GoOn) {
                self.customer_gone();
                return next;
            }
        }
    }

    /// Begins the call, or finds the one that the other connection began.
    async fn begin(&mut self, expected: &Expected, rate_hz: u32) -> Result<(), Declined> {
        let arrival = self.arrival(expected, rate_hz.min(RATE_MAX_HZ));
        let (shared, party, alone) = (Arc::clone(&self.shared), expected.party, expected.alone);
        let came = Instant::now();
        let mut begin = tokio::task::spawn_blocking(move || match alone {
            false => shared.rendezvous.leg(&*shared.exchange, arrival, party, came),
            true => shared.exchange.begin(arrival).and_then(|begun| match begun.legs {
                Legs::AgentAlone(leg) => Ok((leg, begun.line)),
                _ => Err(Declined::new("bug", "a call of one connection has one leg")),
            }),
        });
        let mut ended = false;
        let begun = loop {
            self.hold();
            tokio::select! {
                begun = &mut begin => break begun,
                read = self.stream.read(self.decoder.room()), if !ended => match read {
                    Ok(bytes @ 1..) => self.decoder.filled(bytes),
                    Ok(0) | Err(_) => ended = true, // the next read finds the same
                }
            }
        };
        let (leg, line) = begun.map_err(|_| Declined::new("bug", "a call could not be begun"))??;
        for digit in self.early.drain(..) {
            line.digit(party, digit, None);
        }
        if self.held.lost_words && party == Party::Customer {
            line.say(Event::Held); // it may have been a no
        }
        self.seat = Some(Seat { leg, line, party, rate_hz, judge: Judge::default(), shut: false });
        Ok(())
    }

    /// Holds every message that is whole.
    fn hold(&mut self) {
        let now = Instant::now();
        while let Some(message) = self.decoder.take() {
            let rate_hz = if let Message::Sound { rate_hz, .. } = message { rate_hz } else { 0 };
            let gone = self.held.push(message, self.shared.encoding(rate_hz).bytes(), now);
            self.shared.counts.early.fetch_add(gone, Ordering::Relaxed);
        }
    }

    fn arrival(&self, expected: &Expected, rate_hz: u32) -> Arrival {
        let placing = Placing::ByArrival { burst_ms: BURST_MS };
        let sound = if expected.alone { Arriving::AgentAlone(placing) } else { Arriving::Apart(placing) };
        let config = &self.shared.config;
        let coding = self.shared.encoding(rate_hz);
        Arrival {
            encoding: format!("AudioSocket: {coding} {rate_hz} Hz, a connection for each party"),
            worst_ms: WORST_MS,
            drop_before_decode: config.drop_before_decode,
            agent: expected.agent_id.clone(),
            number: expected.number.clone(),
            private: expected.private,
            sensitive: expected.sensitive,
            ..Arrival::new(expected.call.clone(), SOURCE, rate_hz, sound)
        }
    }

    /// The customer's connection has ended: whatever comes later under this call is not covered by what was granted.
    fn customer_gone(&self) {
        if let Some(seat) = self.seat.as_ref().filter(|seat| seat.party == Party::Customer) {
            seat.line.say(Event::HungUp);
        }
    }

    /// Hangs up, so that the dialplan goes on, and reads until the other end has gone: it never waits for us.
    async fn leave(&mut self) {
        let leave = async {
            self.stream.write_all(&HANGUP).await?;
            self.stream.flush().await?;
            loop {
                if self.read().await? == 0 {
                    return self.stream.shutdown().await;
                }
                while self.decoder.take().is_some() {}
            }
        };
        let _: Result<io::Result<()>, _> = tokio::time::timeout(LEAVE_WITHIN, leave).await;
    }
}

/// A message that is no sound.
fn said(message: Message<'_>, seat: Option<&Seat>, party: Party, early: &mut Vec<char>, shared: &Shared) -> Next {
    match (message, seat) {
        (Message::Hangup, _) => return Next::Ended,
        (Message::Digit(digit), Some(seat)) => seat.line.digit(party, digit, None),
        (Message::Digit(digit), None) if early.len() < EARLY_MAX => early.push(digit),
        (Message::Digit(_), None) | (Message::Sound { .. }, _) => {}
        // A second UUID: whose sound follows is not known.
        (Message::Id(_), Some(seat)) => {
            let what = "a second UUID on one connection".into();
            seat.line.contradict(Finding::LayoutMismatch { what });
        }
        (Message::Id(_), None) => return Next::Leave,
        (Message::Malformed(kind), seat) => {
            Counts::add(&shared.counts.malformed);
            // A key that cannot be read may have been a no.
            if let Some(seat) = seat.filter(|seat| kind == DIGIT && seat.party == Party::Customer) {
                seat.line.say(Event::Held);
            }
        }
        (Message::Unknown(_), _) => Counts::add(&shared.counts.unknown),
        (Message::Error(_), _) => Counts::add(&shared.counts.errors),
    }
    Next::GoOn
}

impl Seat {
    /// Sound of the connection's party.
    fn hear(&mut self, rate_hz: u32, payload: &[u8], came: Came, shared: &Shared, piece: &mut [i16]) {
        if self.shut {
            return;
        }
        let g711 = shared.config.g711.filter(|_| rate_hz == 8_000);
        if rate_hz != self.rate_hz {
            return self.shut(format!("{} Hz became {rate_hz} Hz", self.rate_hz));
        }
        let word = if rate_hz == 8_000 { self.judge.hear(payload.len(), came.after) } else { None };
        let said = if g711.is_some() { Coding::G711 } else { Coding::Linear };
        if word.is_some_and(|word| word != said) {
            Counts::add(&shared.counts.other_coding);
            return self.shut(match said {
                Coding::Linear => "G.711 under the type of 16-bit sound (the channel has a codec; see `g711`)".into(),
                Coding::G711 => "16-bit sound where `g711` says that G.711 comes".into(),
            });
        }
        let encoding = shared.encoding(rate_hz);
        let fold = (rate_hz / RATE_MAX_HZ).max(1) as usize;
        let frames = payload.len() / encoding.bytes() / fold;
        // What was held says nothing of the pace, and is bounded; what comes behind it does.
        self.leg.pace(if came.held { 0 } else { frames as u64 }, came.now);
        let undecoded =
            shared.config.drop_before_decode && self.party == Party::Customer && !self.line.customer_wanted();
        if undecoded {
            return self.leg.missing(frames as u64, Why::Undecoded);
        }
        for bytes in payload.chunks(piece.len() * encoding.bytes()) {
            let count = bytes.len() / encoding.bytes();
            encoding.decode(bytes, &mut piece[..count]);
            let count = average(&mut piece[..count], fold);
            self.leg.sound(&piece[..count]);
        }
        piece.zeroize();
    }

    fn shut(&mut self, what: String) {
        self.shut = true;
        self.line.contradict(Finding::LayoutMismatch { what });
    }
}

/// Averages every `fold` samples into one, in place; how many there are then.
fn average(samples: &mut [i16], fold: usize) -> usize {
    if fold > 1 {
        for number in 0..samples.len() / fold {
            let sum: i32 = samples[number * fold..][..fold].iter().map(|sample| i32::from(*sample)).sum();
            samples[number] = (sum / fold as i32) as i16;
        }
    }
    samples.len() / fold
}
