//! The OpenAPI 3.1 document of this server, made from the routes, the codes, the core's words and the configured
//! defaults. A test compares it with the router, another with the fields that the parser knows.

mod answers;
mod branches;
#[cfg(test)]
mod compared;
mod examples;
mod operations;
mod parameters;
mod requests;
mod schema;
mod words;

use seata_service::Defaults;
use utoipa::openapi::path::{HttpMethod, PathItem, PathsBuilder};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use crate::meters::Verb;

/// What the document says before all else.
const ABOUT: &str = "Runs a business operation that spans several services completely or not at all. \
    Every refusal has the shape of `Problem`, also those of paths that are not here. Every request may be repeated: \
    nothing happens twice. In bodies a field that is `null` counts as not given, and what contradicts itself across \
    fields is refused with 400 `INVALID_REQUEST`.";

/// Makes the document.
pub(crate) fn document(version: &str, defaults: &Defaults) -> OpenApi {
    let license = LicenseBuilder::new()
        .name("MIT OR Apache-2.0")
        .identifier(Some("MIT OR Apache-2.0"))
        .build();
    let info = InfoBuilder::new()
        .title("Seata Server")
        .version(version)
        .description(Some(ABOUT))
        .license(Some(license))
        .build();
    let components = requests::all(defaults)
        .into_iter()
        .chain(answers::all())
        .fold(ComponentsBuilder::new(), |components, (name, schema)| {
            components.schema(name, schema)
        });
    OpenApiBuilder::new()
        .info(info)
        .paths(paths())
        .components(Some(components.build()))
        .build()
}

fn paths() -> PathsBuilder {
    let described = operations::all().into_iter();
    described.fold(PathsBuilder::new(), |paths, described| {
        let route = described.route;
        let method = match route.verb() {
            Verb::Post => HttpMethod::Post,
            Verb::Get | Verb::Any => HttpMethod::Get,
        };
        paths.path(route.path(), PathItem::new(method, described.build()))
    })
}
