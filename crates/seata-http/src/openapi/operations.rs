//! What each route takes and answers, and with which codes it refuses.

use std::collections::BTreeMap;

use seata_service::ErrorCode;
use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{ContentBuilder, Header, Required, Response, ResponseBuilder};

use super::answers::problem_with;
use super::schema::{Part, about, list, named, text, whole};
use super::{branches, examples, parameters};
use crate::meters::Route;
use crate::problem::status_of;

const JSON: &str = "application/json";

/// What any route may answer that asks the engine.
pub(super) const ENGINE: [ErrorCode; 5] = [
    ErrorCode::Overloaded,
    ErrorCode::RecordUnreadable,
    ErrorCode::Internal,
    ErrorCode::StoreUnavailable,
    ErrorCode::Stopping,
];

/// What any route may answer that takes a body.
const BODY: [ErrorCode; 4] = [
    ErrorCode::InvalidRequest,
    ErrorCode::InvalidGid,
    ErrorCode::PayloadTooLarge,
    ErrorCode::UnsupportedMediaType,
];

/// A route in the document, being described.
pub(super) struct Described {
    pub(super) route: Route,
    operation: OperationBuilder,
    codes: Vec<ErrorCode>,
}

/// All routes but those that only carry the document itself.
pub(super) fn all() -> Vec<Described> {
    let mut all = vec![start(), submit(), add_branch(), abort()];
    all.extend(branches::all());
    all.extend([transaction(), events(), transactions(), watch(), feed()]);
    all.extend([retry(), skip(), force()]);
    all.extend([
        health(),
        livez(),
        readyz(),
        metrics(),
        document(),
        page(),
        page_asset(),
    ]);
    all
}

impl Described {
    pub(super) fn new(route: Route, name: &str, tag: &str, summary: &str) -> Self {
        let operation = OperationBuilder::new()
            .operation_id(Some(name))
            .tag(tag)
            .summary(Some(summary));
        Self {
            route,
            operation,
            codes: Vec::new(),
        }
    }

    /// Says that it takes a body, and what follows from that.
    pub(super) fn takes(mut self, schema: &str, example: Value) -> Self {
        let content = ContentBuilder::new()
            .schema(Some(named(schema)))
            .example(Some(example))
            .build();
        let body = RequestBodyBuilder::new()
            .content(JSON, content)
            .required(Some(Required::True))
            .build();
        self.operation = self.operation.request_body(Some(body));
        self.refuses(BODY)
    }

    fn parameters(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        for parameter in parameters {
            self.operation = self.operation.parameter(parameter);
        }
        self
    }

    /// Says that it names a transaction in its path.
    fn of_a_transaction(self) -> Self {
        self.parameters([parameters::gid()])
            .refuses([
                ErrorCode::InvalidGid,
                ErrorCode::InvalidRequest,
                ErrorCode::TransactionNotFound,
            ])
            .refuses(ENGINE)
    }

    pub(super) fn answers(self, status: u16, words: &str, schema: Part) -> Self {
        self.response(status, answer(words, JSON, schema).build())
    }

    fn response(mut self, status: u16, response: Response) -> Self {
        self.operation = self.operation.response(status.to_string(), response);
        self
    }

    pub(super) fn refuses(mut self, codes: impl IntoIterator<Item = ErrorCode>) -> Self {
        self.codes.extend(codes);
        self
    }

    /// Makes the operation, with one answer for each status that a code is sent with.
    pub(super) fn build(self) -> Operation {
        let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
        for code in ErrorCode::ALL {
            if self.codes.contains(&code) {
                let status = status_of(code).as_u16();
                by_status.entry(status).or_default().push(code);
            }
        }
        let refusals = by_status.into_iter();
        refusals
            .fold(self.operation, |operation, (status, codes)| {
                operation.response(status.to_string(), refusal(status, &codes))
            })
            .build()
    }
}

fn answer(words: &str, kind: &str, schema: Part) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(words)
        .content(kind, content)
}

fn refusal(status: u16, codes: &[ErrorCode]) -> Response {
    let words: Vec<_> = codes
        .iter()
        .map(|code| format!("`{}`", code.as_str()))
        .collect();
    let response = answer(&words.join(" or "), JSON, problem_with(codes));
    match status {
        429 | 503 => response.header("retry-after", retry_after()).build(),
        _ => response.build(),
    }
}

fn retry_after() -> Header {
    header(whole(1, 86_400), "When to come back, in seconds.")
}

fn header(schema: Part, words: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(words))
        .build()
}

pub(super) const TRANSACTIONS: &str = "transactions";
const LOOKING: &str = "looking";
const OPERATORS: &str = "operators";
const SERVER: &str = "server";

fn start() -> Described {
    let summary = "Begins a transaction without submitting it.";
    Described::new(Route::Start, "start", TRANSACTIONS, summary)
        .takes("Start", examples::start())
        .answers(
            200,
            "It has begun, durably; also when it had before.",
            named("Started"),
        )
        .refuses([ErrorCode::GidConflict, ErrorCode::StoreFull])
        .refuses(ENGINE)
}

/// How a decision is answered: at once, or after a wait.
fn decides(described: Described) -> Described {
    let either = super::schema::either([named("Accepted"), named("Settled")]);
    let at_once = "The decision is durable: without `wait`, or with it once it has come to an end.";
    let later = "With `wait`: the time ran out, or the server can't wait any longer. It goes on.";
    described
        .answers(200, at_once, either)
        .answers(202, later, named("Pending"))
        .refuses([
            ErrorCode::TransactionNotFound,
            ErrorCode::InvalidStatusTransition,
        ])
        .refuses(ENGINE)
}

fn submit() -> Described {
    let summary = "Submits a whole transaction, or by gid one that was begun.";
    let described = Described::new(Route::Submit, "submit", TRANSACTIONS, summary);
    decides(described.takes("Submit", examples::submit())).refuses([
        ErrorCode::GidConflict,
        ErrorCode::BranchRefused,
        ErrorCode::StoreFull,
    ])
}

fn abort() -> Described {
    let described = Described::new(Route::Abort, "abort", TRANSACTIONS, "Aborts.");
    decides(described.takes("Abort", examples::abort()))
}

fn add_branch() -> Described {
    let summary = "Adds a branch to a saga that is not submitted yet.";
    Described::new(Route::BranchAdd, "addBranch", TRANSACTIONS, summary)
        .takes("AddBranch", examples::add_branch())
        .answers(
            200,
            "The branch is durable; also when it was added before.",
            named("Added"),
        )
        .refuses([
            ErrorCode::TransactionNotFound,
            ErrorCode::BranchConflict,
            ErrorCode::InvalidStatusTransition,
        ])
        .refuses(ENGINE)
}

fn transaction() -> Described {
    Described::new(Route::Get, "transaction", LOOKING, "Shows a transaction.")
        .of_a_transaction()
        .answers(
            200,
            "The transaction, branches included.",
            named("Transaction"),
        )
}

fn events() -> Described {
    Described::new(
        Route::Events,
        "events",
        LOOKING,
        "Shows a transaction's history.",
    )
    .of_a_transaction()
    .answers(200, "Its events, oldest first.", list(named("Event")))
}

fn transactions() -> Described {
    let lines = "One summary a line. If the store fails in between, the last line is a refusal.";
    let cursor = "Where to go on, while there may be more; only with application/json.";
    let lines = ContentBuilder::new()
        .schema(Some(about(text(), lines)))
        .build();
    let response = answer("Newest first.", JSON, list(named("Summary")))
        .content("application/x-ndjson", lines)
        .header("x-next-cursor", header(text(), cursor))
        .build();
    Described::new(Route::List, "transactions", LOOKING, "Lists transactions.")
        .parameters(parameters::of_the_list())
        .response(200, response)
        .refuses([ErrorCode::InvalidRequest])
        .refuses(ENGINE)
}

fn stream(words: &str) -> Response {
    let written = "Server-sent events; the data of each is one line of JSON.";
    answer(words, "text/event-stream", about(text(), written)).build()
}

fn watch() -> Described {
    let words = "Each event as in the history, behind the one that was seen last; ends with the transaction.";
    let nothing = "The transaction has ended, and its last event was seen.";
    Described::new(Route::Watch, "watch", LOOKING, "Follows a transaction.")
        .of_a_transaction()
        .parameters([parameters::last_number()])
        .response(200, stream(words))
        .response(204, ResponseBuilder::new().description(nothing).build())
        .refuses([ErrorCode::InvalidRequest])
}

fn feed() -> Described {
    let words =
        "Each change of a transaction that the server that answers appends, until the client goes.";
    Described::new(
        Route::Feed,
        "feed",
        LOOKING,
        "Follows what this server does.",
    )
    .parameters(parameters::of_the_feed())
    .response(200, stream(words))
    .refuses([
        ErrorCode::InvalidRequest,
        ErrorCode::EventsGone,
        ErrorCode::Overloaded,
        ErrorCode::Internal,
        ErrorCode::Stopping,
    ])
}

fn order(route: Route, name: &str, summary: &str, (body, example): (&str, Value)) -> Described {
    Described::new(route, name, OPERATORS, summary)
        .of_a_transaction()
        .takes(body, example)
        .answers(200, "The order is durable.", named("Ordered"))
        .refuses([
            ErrorCode::BranchNotFound,
            ErrorCode::InvalidStatusTransition,
        ])
}

fn retry() -> Described {
    let summary = "Tries again at once what waits or was refused.";
    order(Route::Retry, "retry", summary, ("Retry", examples::retry()))
}

fn skip() -> Described {
    order(
        Route::Skip,
        "skip",
        "Counts an operation as done.",
        ("Skip", examples::skip()),
    )
}

fn force() -> Described {
    let summary = "Ends a transaction without any more calls.";
    order(Route::Force, "force", summary, ("Force", examples::force()))
}

fn health() -> Described {
    let summary = "Says whether this server does its work.";
    let down = answer("The store does not answer.", JSON, named("Health"));
    Described::new(Route::Health, "health", SERVER, summary)
        .answers(200, "It does.", named("Health"))
        .response(503, down.header("retry-after", retry_after()).build())
}

fn livez() -> Described {
    Described::new(
        Route::Livez,
        "livez",
        SERVER,
        "Says that the process answers.",
    )
    .answers(200, "It does.", named("Alive"))
}

fn readyz() -> Described {
    let summary = "Says whether to send requests here.";
    Described::new(Route::Readyz, "readyz", SERVER, summary)
        .answers(200, "Do.", named("Ready"))
        .refuses([ErrorCode::StoreUnavailable, ErrorCode::Stopping])
}

fn metrics() -> Described {
    let metrics = answer("Prometheus text.", "text/plain", text());
    Described::new(Route::Metrics, "metrics", SERVER, "Shows the metrics.")
        .response(200, metrics.build())
}

fn document() -> Described {
    let summary = "Shows this document.";
    Described::new(Route::Document, "document", SERVER, summary).answers(
        200,
        "OpenAPI 3.1.",
        super::schema::anything(),
    )
}

fn page() -> Described {
    let page = answer(
        "A page that shows this document and tries requests.",
        "text/html",
        text(),
    );
    Described::new(Route::Docs, "docs", SERVER, "Shows a page for people.")
        .response(200, page.build())
}

fn page_asset() -> Described {
    let words = "A part of the page.";
    let kinds = ["text/css", "text/javascript", "image/png"];
    let response = kinds
        .into_iter()
        .fold(answer(words, "text/html", text()), |response, kind| {
            let content = ContentBuilder::new().schema(Some(text())).build();
            response.content(kind, content)
        });
    Described::new(Route::DocsPart, "docsPart", SERVER, words)
        .parameters([parameters::part()])
        .response(200, response.build())
        .refuses([ErrorCode::RouteNotFound])
}
