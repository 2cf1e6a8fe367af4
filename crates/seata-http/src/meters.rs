//! Counts requests per route and status. Both come from closed sets: never a path, a gid or a client's text.

use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

/// The routes, each with its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Start,
    BranchAdd,
    BranchTry,
    BranchRegister,
    BranchConfirm,
    BranchCancel,
    BranchSucceed,
    BranchFail,
    Submit,
    Abort,
    List,
    Get,
    Events,
    Watch,
    Feed,
    Retry,
    Skip,
    Force,
    Health,
    Livez,
    Readyz,
    Metrics,
    Document,
    Docs,
    DocsPart,
    /// Whatever is none of these.
    Other,
}

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    /// Whatever it is.
    Any,
}

const ROUTES: usize = Route::Other as usize + 1;

impl Route {
    pub(crate) const ALL: [Self; ROUTES] = [
        Self::Start,
        Self::BranchAdd,
        Self::BranchTry,
        Self::BranchRegister,
        Self::BranchConfirm,
        Self::BranchCancel,
        Self::BranchSucceed,
        Self::BranchFail,
        Self::Submit,
        Self::Abort,
        Self::List,
        Self::Get,
        Self::Events,
        Self::Watch,
        Self::Feed,
        Self::Retry,
        Self::Skip,
        Self::Force,
        Self::Health,
        Self::Livez,
        Self::Readyz,
        Self::Metrics,
        Self::Document,
        Self::Docs,
        Self::DocsPart,
        Self::Other,
    ];

    pub(crate) const fn verb(self) -> Verb {
        match self {
            Self::Start
            | Self::BranchAdd
            | Self::BranchTry
            | Self::BranchRegister
            | Self::BranchConfirm
            | Self::BranchCancel
            | Self::BranchSucceed
            | Self::BranchFail
            | Self::Submit
            | Self::Abort
            | Self::Retry
            | Self::Skip
            | Self::Force => Verb::Post,
            Self::List
            | Self::Get
            | Self::Events
            | Self::Watch
            | Self::Feed
            | Self::Health
            | Self::Livez
            | Self::Readyz
            | Self::Metrics
            | Self::Document
            | Self::Docs
            | Self::DocsPart => Verb::Get,
            Self::Other => Verb::Any,
        }
    }

    /// Says whether a parameter in its query is a mistake. Whoever looks after a server may add what it likes to the
    /// paths made for it, and a list and a feed read theirs.
    pub(crate) const fn takes_no_query(self) -> bool {
        match self {
            Self::Start
            | Self::BranchAdd
            | Self::BranchTry
            | Self::BranchRegister
            | Self::BranchConfirm
            | Self::BranchCancel
            | Self::BranchSucceed
            | Self::BranchFail
            | Self::Submit
            | Self::Abort
            | Self::Get
            | Self::Events
            | Self::Watch
            | Self::Retry
            | Self::Skip
            | Self::Force => true,
            Self::List
            | Self::Feed
            | Self::Health
            | Self::Livez
            | Self::Readyz
            | Self::Metrics
            | Self::Document
            | Self::Docs
            | Self::DocsPart
            | Self::Other => false,
        }
    }

    /// Answers the path as routed, which is also the label.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Start => "/api/start",
            Self::BranchAdd => "/api/branch/add",
            Self::BranchTry => "/api/branch/try",
            Self::BranchRegister => "/api/branch/register",
            Self::BranchConfirm => "/api/branch/confirm",
            Self::BranchCancel => "/api/branch/cancel",
            Self::BranchSucceed => "/api/branch/succeed",
            Self::BranchFail => "/api/branch/fail",
            Self::Submit => "/api/submit",
            Self::Abort => "/api/abort",
            Self::List => "/api/tx",
            Self::Get => "/api/tx/{gid}",
            Self::Events => "/api/tx/{gid}/events",
            Self::Watch => "/api/tx/{gid}/watch",
            Self::Feed => "/api/watch",
            Self::Retry => "/api/tx/{gid}/retry",
            Self::Skip => "/api/tx/{gid}/skip",
            Self::Force => "/api/tx/{gid}/force",
            Self::Health => "/health",
            Self::Livez => "/livez",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::Document => "/api/openapi.json",
            Self::Docs => "/api/docs",
            Self::DocsPart => "/api/docs/{part}",
            Self::Other => "other",
        }
    }
}

/// The statuses that we answer.
const CODES: [u16; 14] = [
    200, 202, 204, 400, 404, 405, 409, 410, 413, 415, 429, 500, 503, 0,
];

struct RouteMeters {
    seconds: Histogram,
    requests: [OnceLock<Counter>; CODES.len()],
}

/// Handles, each made when it is first needed, so that only what happened is shown.
pub(crate) struct Meters {
    routes: [OnceLock<RouteMeters>; ROUTES],
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            routes: [const { OnceLock::new() }; ROUTES],
        }
    }

    pub(crate) fn answered(&self, route: Route, status: StatusCode, took: Duration) {
        let label = route.path();
        let meters = self.routes[route as usize].get_or_init(|| RouteMeters {
            seconds: histogram!("seata_http_request_seconds", "route" => label),
            requests: [const { OnceLock::new() }; CODES.len()],
        });
        meters.seconds.record(took.as_secs_f64());
        let at = CODES
            .iter()
            .position(|code| *code == status.as_u16())
            .unwrap_or(CODES.len() - 1);
        let code = match CODES[at] {
            0 => "other".to_owned(),
            code => code.to_string(),
        };
        meters.requests[at]
            .get_or_init(|| counter!("seata_http_requests_total", "route" => label, "code" => code))
            .increment(1);
    }
}
