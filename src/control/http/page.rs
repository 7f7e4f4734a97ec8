//! The agent's page and the OpenAPI document: parts of the program, served as they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Shared;

/// The API's description (OpenAPI 3.1).
pub const OPENAPI: &str = include_str!("openapi.json");

/// Languages of the page.
pub const LANGUAGES: [&str; 5] = ["en", "sv", "da", "nb", "sl"];
/// How far back *oops* reaches, seconds.
pub const OOPS_S: u32 = 10;

/// What the agent's page is told.
#[derive(Clone, Debug, Serialize)]
pub struct PageConfig {
    /// The announcement's id, for *customer was told*.
    pub notice: String,
    /// Its version.
    pub version: String,
    /// Purposes to choose from. None: the page asks for one.
    pub purposes: Vec<String>,
    /// Languages to choose from, the preferred one first.
    pub languages: Vec<String>,
}

impl Default for PageConfig {
    fn default() -> PageConfig {
        PageConfig {
            notice: "standard".into(),
            version: "1".into(),
            purposes: Vec::new(),
            languages: LANGUAGES.map(str::to_owned).to_vec(),
        }
    }
}

#[derive(Serialize)]
struct Told<'p> {
    #[serde(flatten)]
    page: &'p PageConfig,
    can_open: bool,
    oops_s: u32,
}

/// What the page is told.
pub async fn config(State(shared): State<Arc<Shared>>) -> Response {
    Json(Told { page: &shared.page, can_open: shared.desk.opens(), oops_s: OOPS_S }).into_response()
}

fn fixed(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// The page.
pub async fn index() -> Response {
    fixed("text/html; charset=utf-8", include_str!("page/index.html"))
}

/// Its looks.
pub async fn style() -> Response {
    fixed("text/css; charset=utf-8", include_str!("page/page.css"))
}

/// What it does.
pub async fn script() -> Response {
    fixed("text/javascript; charset=utf-8", include_str!("page/page.js"))
}

/// Its words, in five languages.
pub async fn words() -> Response {
    fixed("text/javascript; charset=utf-8", include_str!("page/words.js"))
}

/// The API's description.
pub async fn openapi() -> Response {
    fixed("application/json", OPENAPI)
}
