//! The document of the API, and a page that shows it: Swagger UI, built into the program. Nothing is fetched from
//! anywhere else, neither when it is built nor when it is looked at.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use seata_service::{ErrorCode, Problem};
use utoipa_swagger_ui::{Config, SwaggerFile, serve};

use crate::answer::json;
use crate::api::Api;
use crate::endpoint::Answer;
use crate::meters::Route;

const PAGE: &str = "index.html";

/// What many a person types for the page.
pub(super) const WITH_SLASH: &str = "/api/docs/";

/// Lets the page load what this server has, and ask this server.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// Where the document is; no other server is asked whether it is valid.
static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::new([Route::Document.path()]).validator_url("none");
    Arc::new(config)
});

/// Answers the document.
pub(super) async fn document(api: Arc<Api>) -> Answer {
    let rules = api.service.rules();
    let document = crate::openapi::document(api.config.version, &rules.defaults);
    Ok(json(StatusCode::OK, &document))
}

/// Answers the page. Its parts are named from the folder below, and its own address has no slash at the end.
pub(super) async fn page() -> Answer {
    let file = part(PAGE)?;
    let text = String::from_utf8_lossy(&file.bytes);
    let based = text.replacen("<head>", "<head><base href=\"docs/\">", 1);
    Ok(respond(based.into(), &file.content_type))
}

/// Sends to the page. By a relative address: a proxy may have put a prefix before ours.
pub(super) fn without_slash() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("../docs"));
    response
}

/// Answers a part of the page.
pub(super) async fn page_part(request: Request) -> Answer {
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    let file = part(name)?;
    Ok(respond(file.bytes.into_owned().into(), &file.content_type))
}

fn part(name: &str) -> Result<SwaggerFile<'static>, Problem> {
    match serve(name, Arc::clone(&CONFIG)) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(Problem::new(
            ErrorCode::RouteNotFound,
            "the page has no such part: look at /api/docs",
        )),
        Err(error) => {
            tracing::error!(%error, name, "a part of the page is damaged");
            Err(Problem::new(
                ErrorCode::Internal,
                "the page is damaged: see the server's log",
            ))
        }
    }
}

fn respond(bytes: Bytes, content_type: &str) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    response
}
