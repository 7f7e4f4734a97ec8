//! Errors as RFC 9457 has them: `application/problem+json` with a stable `code`, a sentence, and what to do.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::run::live::{Answer, DeskError};
use crate::source::exchange::Declined;

/// Why a request came to nothing.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// The status code.
    pub status: u16,
    /// What went wrong: stable.
    pub code: &'static str,
    /// A sentence.
    pub title: String,
    /// What to do.
    pub remedy: String,
    /// The field of the body that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the writer did, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Box<Answer>>,
}

impl Problem {
    /// A problem without a field or an answer.
    pub fn new(status: StatusCode, code: &'static str, title: impl Into<String>, remedy: impl Into<String>) -> Problem {
        let (title, remedy) = (title.into(), remedy.into());
        Problem { status: status.as_u16(), code, title, remedy, field: None, answer: None }
    }

    /// A body that says nothing usable.
    pub fn bad_body(field: Option<&str>, title: impl Into<String>) -> Problem {
        let remedy = "correct the body; /openapi.json says what it may hold. Nothing was done";
        let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", title, remedy);
        problem.field = field.map(str::to_owned);
        problem
    }

    /// Something that the writer was asked and refused.
    pub fn rejected(answer: Answer) -> Problem {
        let (title, remedy) = refused(answer.refusal.as_deref().unwrap_or_default());
        let mut problem = Problem::new(StatusCode::CONFLICT, "rejected", title, remedy);
        problem.answer = Some(Box::new(answer));
        problem
    }
}

impl Problem {
    /// A bug of this program.
    pub fn bug() -> Problem {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "bug",
            "a bug in this program; whether it took effect is unknown",
            "look at the call's state, and report the bug",
        )
    }

    /// A call that its source does not take.
    pub fn declined(declined: Declined) -> Problem {
        let Declined { reason, why } = declined;
        let (status, remedy) = match reason {
            "body" => return Problem::bad_body(None, why),
            "limit" | "draining" | "disk" | "disk_full" => {
                (StatusCode::SERVICE_UNAVAILABLE, "the switch's own call is not touched; try the next recorder")
            }
            _ => (StatusCode::CONFLICT, "nothing was done; the manual says what each source needs"),
        };
        Problem::new(status, reason, why, remedy)
    }
}

/// What a refusal of the gate means, and what to do. The refusal stands in the ledger.
fn refused(refusal: &str) -> (&'static str, &'static str) {
    match refusal {
        "not_informed" => (
            "the customer has not been told, so no yes counts (INF-01)",
            "make the announcement, report `told`, and ask again",
        ),
        "refusal_stands" => (
            "the customer said no, and only the customer's own act overcomes it (CON-09)",
            "report the customer's own act (`dtmf` or `spoken_yes`), if there is one",
        ),
        "no_purpose" => ("a yes without a purpose is none (CON-04)", "name the `purpose` that the customer was told"),
        "purpose_not_configured" => (
            "none of these purposes is recorded for here (CON-04)",
            "use one of the configured purposes (GET /v1/page lists them)",
        ),
        "no_basis_reference" => ("a basis other than consent needs its assessment (CON-13)", "give `basis_ref`"),
        "sensitive_needs_consent" => ("the call is sensitive: consent alone counts (CON-12)", "ask the customer"),
        "token_expired" | "token_revoked" | "token_unverifiable" => (
            "the standing consent does not count (CON-16)",
            "ask the customer in this call; `expires` is needed for a token to count",
        ),
        "call_over" => ("the call is over", "nothing can be granted any more"),
        "unknown_party" => ("there is no such party on the line", "report `joined` first, or correct the name"),
        "outside_question" => (
            "a key grants only while the question is open (CON-18)",
            "make the announcement, report `told`, and ask again",
        ),
        "not_the_customer" | "whose_key" => {
            ("a key grants only if the customer surely pressed it (CON-18)", "ask the customer to press it again")
        }
        "unknown_act" => {
            ("this is no act by which one says yes (CON-02)", "use dtmf, spoken_yes, button, api or token")
        }
        _ => ("the event counts for nothing; the ledger says why", "see `answer.refusal`"),
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Problem {
        let title = error.to_string();
        match error {
            DeskError::NoSuchCall(_) => {
                let remedy = "GET /v1/calls lists the calls in hand, /v1/ended those that are over";
                Problem::new(StatusCode::NOT_FOUND, "no_such_call", title, remedy)
            }
            DeskError::Exists(_) => {
                Problem::new(StatusCode::CONFLICT, "call_exists", title, "choose another name, or leave it out")
            }
            DeskError::NotHere(_) => {
                Problem::new(StatusCode::CONFLICT, "not_opened_here", title, "open the call where its sound comes from")
            }
            DeskError::Refused { code, .. } => {
                Problem::new(StatusCode::CONFLICT, code, title, "the rule is part of the configuration")
            }
            DeskError::Failed(_) => {
                let remedy = "look at the disk and the devices of the recorder (`oneside check`)";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "failed", title, remedy)
            }
            DeskError::Over(_) => {
                let remedy = "what stands can be removed: `oneside erase`; GET /v1/ended tells when it stands";
                Problem::new(StatusCode::CONFLICT, "call_over", title, remedy)
            }
            DeskError::NoAnswer => {
                let remedy = "look at the call's state (GET /v1/calls/{call}) before asking again";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_answer", title, remedy)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Answers where there is nothing.
pub async fn no_such_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path", "see /openapi.json")
}

/// Answers a method that a path does not have; `Allow` is set by the router.
pub async fn no_such_method() -> Problem {
    let title = "this path does not take this method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", title, "see the Allow header, or /openapi.json")
}
