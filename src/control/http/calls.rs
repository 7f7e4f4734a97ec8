//! Calls are opened, closed, looked at, and told what happened. The desk waits for the writer; here it is waited for on
//! a thread that may.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::Shared;
use super::bounds::BODY_WITHIN;
use super::problem::Problem;
use crate::consent::event::FIELD_BYTES_MAX;
use crate::run::live::{Answer, DeskError, Ended, OpenCall, State as CallState};
use crate::source::wire::asked::{AskedFor, parse_asked};

/// Longest body, bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

type Asked<T> = Result<T, Problem>;
type Call = Result<Path<String>, PathRejection>;

/// The calls in hand.
pub async fn list(State(shared): State<Arc<Shared>>) -> Json<Vec<CallState>> {
    Json(shared.desk.states())
}

/// The calls that ended last.
pub async fn ended(State(shared): State<Arc<Shared>>) -> Json<Vec<Ended>> {
    Json(shared.desk.ended())
}

/// The state of a call.
pub async fn state(State(shared): State<Arc<Shared>>, call: Call) -> Asked<Json<CallState>> {
    Ok(Json(shared.desk.state(&name(call)?)?))
}

/// Opens a call.
pub async fn open(State(shared): State<Arc<Shared>>, request: Request) -> Asked<Response> {
    let wanted = wanted(&body(request).await?)?;
    let state = waited(move || shared.desk.open(wanted)).await?;
    let place = format!("/v1/calls/{}", escaped(&state.call));
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(state)).into_response())
}

/// Ends a call, and waits until it stands.
pub async fn close(State(shared): State<Arc<Shared>>, call: Call) -> Asked<Json<Ended>> {
    let call = name(call)?;
    waited(move || shared.desk.close(&call)).await.map(Json)
}

/// The same, for those who cannot send a DELETE. The body is `{}`.
pub async fn close_by_post(shared: State<Arc<Shared>>, call: Call, request: Request) -> Asked<Json<Ended>> {
    if let Some(key) = object(&body(request).await?)?.keys().next() {
        return Err(Problem::bad_body(Some(key), format!("`{key}` is no field here; it takes none: send `{{}}`")));
    }
    close(shared, call).await
}

/// Tells a call what happened, and answers what its writer did with it.
pub async fn ask(
    kind: &'static str,
    State(shared): State<Arc<Shared>>,
    call: Call,
    request: Request,
) -> Asked<Json<Answer>> {
    let call = name(call)?;
    let bytes = body(request).await?;
    // Who asks of no call is told so, whatever the body says.
    shared.desk.state(&call)?;
    let asked = parse_asked(kind, &bytes).map_err(|fault| Problem::bad_body(fault.key, fault.what))?;
    let AskedFor { event, expires } = asked;
    let desk = Arc::clone(&shared.desk);
    let answer = waited(move || desk.ask(&call, event, expires)).await?;
    if answer.outcome == "rejected" {
        return Err(Problem::rejected(answer));
    }
    Ok(Json(answer))
}

/// Announces a call of a media server to its source; the answer is the source's own.
pub async fn expect(State(shared): State<Arc<Shared>>, request: Request) -> Asked<Response> {
    let wanted = object(&body(request).await?)?;
    let desk = Arc::clone(&shared.desk);
    let answer = tokio::task::spawn_blocking(move || desk.expect(wanted)).await;
    match answer {
        Ok(Ok(answer)) => Ok((StatusCode::CREATED, Json(answer)).into_response()),
        Ok(Err(declined)) => Err(Problem::declined(declined)),
        Err(_) => Err(Problem::bug()),
    }
}

/// Forgets a call that was announced and has not come.
pub async fn forget(State(shared): State<Arc<Shared>>, call: Call) -> Asked<StatusCode> {
    let call = name(call)?;
    if shared.desk.forget(&call) { Ok(StatusCode::NO_CONTENT) } else { Err(DeskError::NoSuchCall(call).into()) }
}

fn name(call: Call) -> Asked<String> {
    call.map(|Path(call)| call).map_err(|_| {
        let title = "the call's name in the path is no text (percent-encoded UTF-8)";
        Problem::new(StatusCode::NOT_FOUND, "no_such_call", title, "GET /v1/calls lists the calls in hand")
    })
}

/// Waits for the desk on a thread that may wait.
async fn waited<T: Send + 'static>(work: impl FnOnce() -> Result<T, DeskError> + Send + 'static) -> Asked<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Problem::from),
        Err(_) => Err(Problem::bug()),
    }
}

/// The body of a request that changes something: JSON, in time, not too long.
async fn body(request: Request<Body>) -> Asked<Bytes> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|text| text.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "the body is not declared as JSON; a form of another site could have sent it",
            "send `Content-Type: application/json`, and `{}` if there is nothing to say",
        ));
    }
    let read = tokio::time::timeout(BODY_WITHIN, Bytes::from_request(request, &())).await;
    let read = read.map_err(|_| {
        let title = format!("the body did not arrive within {} s", BODY_WITHIN.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", title, "send it again; nothing was done")
    })?;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let title = format!("the body is longer than {} KiB", BODY_BYTES_MAX / 1024);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_long", title, "no event needs so many; nothing was done")
        }
        _ => Problem::bad_body(None, "the body broke off"),
    })
}

fn object(bytes: &[u8]) -> Asked<Map<String, Value>> {
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::bad_body(None, format!("the body is no JSON object (`{{}}` if there is nothing to say): {error}"))
    })
}

fn wanted(bytes: &[u8]) -> Asked<OpenCall> {
    let mut open = OpenCall::default();
    for (key, value) in object(bytes)? {
        let wrong = |what: &str| Problem::bad_body(Some(&key), format!("`{key}` {what}"));
        let text = |value: &Value| match value {
            Value::Null => Ok(None),
            Value::String(text) if !text.is_empty() && text.len() <= FIELD_BYTES_MAX => Ok(Some(text.clone())),
            _ => Err(wrong("must be a text of 1 to 256 bytes")),
        };
        let flag = |value: &Value| value.as_bool().ok_or_else(|| wrong("must be true or false"));
        match key.as_str() {
            "call" => open.call = text(&value)?,
            "agent" => open.agent = text(&value)?,
            "number" => open.number = text(&value)?,
            "private" => open.private = flag(&value)?,
            "sensitive" => open.sensitive = flag(&value)?,
            _ => return Err(wrong("is no field here; they are call, agent, number, private, sensitive")),
        }
    }
    Ok(open)
}

/// A name as one part of a path.
pub fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
