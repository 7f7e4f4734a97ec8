//! What changes, as it changes: server-sent events. One task looks at the desk every 100 ms, for all who listen.
//!
//! | event | data |
//! |---|---|
//! | `calls` | the states of all calls in hand: first of all, and again to who could not keep up |
//! | `state` | the state of a call that changed |
//! | `ended` | a call that is over |
//! | `alive` | once a second: who hears nothing for three seconds has lost the recorder |

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event as Sent, Sse};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Semaphore, broadcast};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

use super::Shared;
use super::problem::Problem;
use crate::run::live::{Desk, State as CallState};

/// How often the desk is looked at.
pub const EVERY: Duration = Duration::from_millis(100);
/// How many looks there are between two signs of life.
const ALIVE_LOOKS: u64 = 10;
/// Who may listen at a time: less than the connections, so that somebody can still ask.
pub const LISTENERS_MAX: usize = 32;
/// News that may wait for a listener; more, and it gets the whole picture again.
const WAITING_MAX: usize = 256;

#[derive(Clone)]
struct Item {
    event: &'static str,
    data: Arc<str>,
}

/// What all listeners share.
pub struct News {
    out: Mutex<Option<broadcast::Sender<Item>>>,
    listeners: Arc<Semaphore>,
}

impl Default for News {
    fn default() -> News {
        News {
            out: Mutex::new(Some(broadcast::channel(WAITING_MAX).0)),
            listeners: Arc::new(Semaphore::new(LISTENERS_MAX)),
        }
    }
}

impl News {
    fn send(&self, event: &'static str, data: &impl Serialize) {
        if let Some(out) = self.out.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
            && out.receiver_count() > 0
        {
            let data = serde_json::to_string(data).unwrap_or_default();
            // Nobody may be listening.
            let _ = out.send(Item { event, data: data.into() });
        }
    }

    fn is_heard(&self) -> bool {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|out| out.receiver_count() > 0)
    }

    /// Ends all streams.
    fn end(&self) {
        *self.out.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Looks at the desk until `stop` says so.
pub async fn look(shared: Arc<Shared>, stop: impl Fn() -> bool) {
    let mut known: BTreeMap<String, CallState> = BTreeMap::new();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for look in 0_u64.. {
        ticks.tick().await;
        if stop() {
            break;
        }
        if !shared.news.is_heard() {
            // Nobody listens, and thousands of calls may be in hand.
            known.clear();
            continue;
        }
        let now: BTreeMap<_, _> = shared.desk.states().into_iter().map(|s| (s.call.clone(), s)).collect();
        tell_changes(&shared, &mut known, &now);
        if look % ALIVE_LOOKS == 0 {
            shared.news.send("alive", &serde_json::json!({ "at": Timestamp::now().to_string() }));
        }
    }
    shared.news.end();
}

fn tell_changes(shared: &Shared, known: &mut BTreeMap<String, CallState>, now: &BTreeMap<String, CallState>) {
    for (call, state) in now {
        if known.get(call) != Some(state) {
            shared.news.send("state", state);
            known.insert(call.clone(), state.clone());
        }
    }
    let gone: Vec<String> = known.keys().filter(|call| !now.contains_key(*call)).cloned().collect();
    if gone.is_empty() {
        return;
    }
    let ended = shared.desk.ended();
    for call in gone {
        // Struck out of the calls a moment before it is entered among the ended: then at the next look.
        if let Some(ended) = ended.iter().find(|ended| ended.call == call) {
            shared.news.send("ended", ended);
            known.remove(&call);
        }
    }
}

/// The stream of changes.
pub async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let sender = shared.news.out.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let permit = Arc::clone(&shared.news.listeners).try_acquire_owned();
    let (Some(sender), Ok(permit)) = (sender, permit) else {
        let title = format!("{LISTENERS_MAX} are listening already, or the recorder is ending");
        let remedy = "close a page or a watcher, and try again";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_listeners", title, remedy).into_response();
    };
    // First the ear, then the picture: what changes in between is told twice rather than not at all.
    let changes = BroadcastStream::new(sender.subscribe());
    drop(sender);
    let first = tokio_stream::once(picture(&shared.desk));
    let changes = changes.map(move |item| {
        let _held = &permit;
        match item {
            Ok(item) => Sent::default().event(item.event).data(&*item.data),
            Err(_) => picture(&shared.desk),
        }
    });
    Sse::new(first.chain(changes).map(Ok::<_, Infallible>)).into_response()
}

fn picture(desk: &Desk) -> Sent {
    Sent::default().event("calls").data(serde_json::to_string(&desk.states()).unwrap_or_else(|_| "[]".into()))
}
