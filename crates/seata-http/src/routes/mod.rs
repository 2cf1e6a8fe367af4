//! The handlers: read, ask the engine, render.

mod branches;
mod create;
mod docs;
mod feed;
mod lines;
mod list;
mod observe;
mod orders;
mod settle;
mod submit;
mod watch;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use seata_core::UnixMillis;
use seata_engine::Order;
use seata_service::request::OrderRequest;
use seata_service::{Defaults, Detail, ErrorCode, Limits, LocalEndpoints, Problem, Rules};

use crate::api::Api;
use crate::body::discard;
use crate::endpoint::Answer;
use crate::meters::{Route, Verb};
use crate::parse::bodies::{
    AbortBody, BranchBody, BranchOrderBody, CompletionBody, OrderBody, TransactionBody,
};
use crate::parse::parse;
use crate::problem::ProblemJson;
use crate::read;

type Handler = fn(Arc<Api>, Request) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Answers the handler of a route.
pub(crate) fn handler(route: Route) -> Handler {
    match route {
        Route::Start => |api, request| Box::pin(create::start(api, request)),
        Route::BranchAdd => |api, request| Box::pin(create::add_branch(api, request)),
        Route::BranchTry => |api, request| Box::pin(branches::try_(api, request)),
        Route::BranchRegister => |api, request| Box::pin(branches::register(api, request)),
        Route::BranchConfirm => |api, request| Box::pin(branches::confirm(api, request)),
        Route::BranchCancel => |api, request| Box::pin(branches::cancel(api, request)),
        Route::BranchSucceed => |api, request| {
            Box::pin(branches::complete(api, request, |asked| {
                asked.resolve_succeeded()
            }))
        },
        Route::BranchFail => |api, request| {
            Box::pin(branches::complete(api, request, |asked| {
                asked.resolve_failed()
            }))
        },
        Route::Submit => |api, request| Box::pin(submit::submit(api, request)),
        Route::Abort => |api, request| Box::pin(submit::abort(api, request)),
        Route::List => |api, request| Box::pin(list::list(api, request)),
        Route::Get => |api, request| Box::pin(observe::transaction(api, request)),
        Route::Events => |api, request| Box::pin(observe::events(api, request)),
        Route::Watch => |api, request| Box::pin(watch::watch(api, request)),
        Route::Feed => |api, request| Box::pin(feed::feed(api, request)),
        Route::Retry => |api, request| Box::pin(orders::order(api, request, |asked| asked.retry())),
        Route::Skip => |api, request| Box::pin(orders::order(api, request, |asked| asked.skip())),
        Route::Force => |api, request| Box::pin(orders::order(api, request, |asked| asked.force())),
        Route::Health => |api, _| Box::pin(observe::health(api)),
        Route::Livez => |_, _| Box::pin(observe::livez()),
        Route::Readyz => |api, _| Box::pin(observe::readyz(api)),
        Route::Metrics => |api, _| Box::pin(observe::metrics(api)),
        Route::Document => |api, _| Box::pin(docs::document(api)),
        Route::Docs => |_, _| Box::pin(docs::page()),
        Route::DocsPart => |_, request| Box::pin(docs::page_part(request)),
        Route::Other => |_, request| Box::pin(no_route(request)),
    }
}

async fn no_route(request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    discard(&parts.headers, body).await;
    if parts.uri.path() == docs::WITH_SLASH {
        return Ok(docs::without_slash());
    }
    Err(Problem::new(
        ErrorCode::RouteNotFound,
        "no such path: docs/api.md lists them all",
    ))
}

/// Answers a known path asked with a method that it does not have. The router adds the header `allow`; many a client
/// shows bodies alone.
pub(crate) fn wrong_method(
    _: Arc<Api>,
    request: Request,
) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(async {
        let (parts, body) = request.into_parts();
        discard(&parts.headers, body).await;
        let allowed = allowed(parts.extensions.get::<MatchedPath>());
        let text = format_args!(
            "this path does not take {}: ask it with {}",
            parts.method,
            allowed.join(" or ")
        );
        let allowed = allowed.into_iter().map(str::to_owned).collect();
        Err(Problem::new(ErrorCode::MethodNotAllowed, text).with("allow", Detail::Names(allowed)))
    })
}

/// Answers the methods of a path.
fn allowed(path: Option<&MatchedPath>) -> Vec<&'static str> {
    let routes = Route::ALL.into_iter();
    let routes = routes.filter(|route| path.is_some_and(|path| path.as_str() == route.path()));
    let methods = routes.map(|route| match route.verb() {
        Verb::Get => ["GET", "HEAD"].as_slice(),
        Verb::Post => ["POST"].as_slice(),
        Verb::Any => [].as_slice(),
    });
    methods.flatten().copied().collect()
}

/// Reads a body as every route that takes one would, and answers the refusals.
pub(crate) fn parse_any(body: &[u8], limits: Limits, defaults: &Defaults) -> Vec<String> {
    let rules = Rules {
        limits,
        local: LocalEndpoints::Allowed,
        defaults: defaults.clone(),
    };
    let order = |resolve: fn(&OrderRequest<'_>) -> Result<Order, Problem>| {
        parse::<OrderBody<'_>>(body)
            .and_then(read::order)
            .and_then(|asked| resolve(&asked).map(drop))
    };
    let refusals = [
        parse::<TransactionBody<'_>>(body)
            .and_then(|body| read::submit(body, &limits))
            .and_then(|asked| asked.resolve(&rules, UnixMillis(0)).map(drop)),
        parse::<TransactionBody<'_>>(body)
            .and_then(|body| read::transaction(body, &limits))
            .and_then(|asked| asked.resolve(&rules, UnixMillis(0)).map(drop)),
        parse::<BranchBody<'_>>(body)
            .and_then(read::added_branch)
            .and_then(|asked| asked.resolve(&rules).map(drop)),
        parse::<BranchBody<'_>>(body)
            .and_then(read::added_branch)
            .and_then(|asked| asked.resolve_registered(&rules).map(drop)),
        parse::<BranchBody<'_>>(body)
            .and_then(read::added_branch)
            .and_then(|asked| asked.resolve_tried(&rules).map(drop)),
        parse::<BranchOrderBody<'_>>(body)
            .and_then(|body| read::branch_order(body).resolve().map(drop)),
        parse::<CompletionBody<'_>>(body)
            .and_then(read::completion)
            .and_then(|asked| asked.resolve_failed().map(drop)),
        parse::<AbortBody<'_>>(body).and_then(|body| read::abort(body).resolve().map(drop)),
        order(|asked| asked.retry()),
        order(|asked| asked.skip()),
        order(|asked| asked.force()),
    ];
    let render = |problem: &Problem| serde_json::to_string(&ProblemJson(problem));
    refusals
        .iter()
        .filter_map(|refusal| refusal.as_ref().err())
        .map(|problem| render(problem).unwrap_or_default())
        .collect()
}
