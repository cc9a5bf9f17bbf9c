//! What is served, under which path.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use control::{Hub, Status};
use serde_json::json;

use super::metrics;

/// The bytes that may be put at most.
const LARGEST_BODY: usize = 4096;

/// How long what is put may take to come.
const BODY: Duration = Duration::from_secs(3);

/// For so long a look at the hub is as good as a new one.
const FRESH: Duration = Duration::from_millis(250);

/// How long a look at the hub may take.
const PATIENCE: Duration = Duration::from_secs(10);

const PATHS: &str = "\
/live     200 while messages make their way, 503 when they do not
/ready    200 while the hub does all that it is there for, 503 and the reasons when it does not
/metrics  for Prometheus
/status   all that is known, as JSON
/log      GET: what is logged; PUT, at a Unix socket: log this, such as info or info,plugin=debug
";

/// The hub, looked at now and then.
struct Looker {
    hub: Arc<dyn Hub>,
    last: Mutex<Option<(Instant, Arc<Status>)>>,
}

/// The hub could not be looked at.
struct Unseen(String);

impl IntoResponse for Unseen {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": self.0 }))).into_response()
    }
}

/// What is served. Who comes by TCP may be anybody on the machine, or a page in his browser: he may look, and change
/// nothing.
pub(super) fn router(hub: Arc<dyn Hub>, may_change: bool) -> Router {
    let level = if may_change { get(log).put(set_log) } else { get(log).put(refuse_log) };
    Router::new()
        .route("/", get(PATHS))
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/log", level)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Arc::new(Looker { hub, last: Mutex::default() }))
}

impl Looker {
    async fn look(self: &Arc<Self>) -> Result<Arc<Status>, Unseen> {
        let this = Arc::clone(self);
        let looking = tokio::task::spawn_blocking(move || this.look_now());
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => Err(Unseen(error.to_string())),
            Err(_) => Err(Unseen(format!("the disk has not answered for {PATIENCE:?}"))),
        }
    }

    /// However many ask, one looks.
    fn look_now(&self) -> Result<Arc<Status>, Unseen> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, status)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            tracing::trace!(age = ?at.elapsed(), "shown again");
            return Ok(Arc::clone(status));
        }
        let status = Arc::new(self.hub.status().map_err(|error| Unseen(error.to_string()))?);
        *last = Some((Instant::now(), Arc::clone(&status)));
        Ok(status)
    }
}

async fn live(State(looker): State<Arc<Looker>>) -> Response {
    let live = looker.hub.is_alive();
    (code(live), Json(json!({ "live": live }))).into_response()
}

async fn ready(State(looker): State<Arc<Looker>>) -> Result<Response, Unseen> {
    let status = looker.look().await?;
    let ready = status.is_ready();
    Ok((code(ready), Json(json!({ "ready": ready, "problems": status.problems }))).into_response())
}

async fn status(State(looker): State<Arc<Looker>>) -> Result<Response, Unseen> {
    Ok(Json(&*looker.look().await?).into_response())
}

async fn metrics(State(looker): State<Arc<Looker>>, headers: HeaderMap) -> Result<Response, Unseen> {
    let status = looker.look().await?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let form = metrics::Form::accepted(accept);
    let text = metrics::render(status, form).map_err(|error| Unseen(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, form.content_type())], text).into_response())
}

async fn log(State(looker): State<Arc<Looker>>) -> Response {
    Json(json!({ "level": looker.hub.log_level() })).into_response()
}

async fn set_log(State(looker): State<Arc<Looker>>, request: Request) -> Response {
    let level = match tokio::time::timeout(BODY, String::from_request(request, &())).await {
        Ok(Ok(level)) => level,
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let level = level.trim();
    match looker.hub.set_log_level(level) {
        Ok(()) => Json(json!({ "level": level })).into_response(),
        Err(refusal) => {
            (StatusCode::BAD_REQUEST, Json(json!({ "error": refusal.to_string() }))).into_response()
        }
    }
}

async fn refuse_log() -> Response {
    let mend = "use `fedmsg-hub log-level`, or set http.listen to a Unix socket";
    let error = format!("the log's level is not set by TCP, where anybody could: {mend}");
    (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response()
}

fn code(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
