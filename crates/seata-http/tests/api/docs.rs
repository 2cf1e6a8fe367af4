//! The document, and the page that shows it.

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn the_page_with_a_slash_leads_to_the_page() {
    let world = World::new().await;
    let request = http::Request::get("/api/docs/").body(axum::body::Body::empty());
    let response = world.open(request.unwrap()).await;
    assert_eq!(response.status(), 308);
    assert_eq!(response.headers()["location"], "../docs");
}

#[tokio::test(start_paused = true)]
async fn the_document_is_served_with_the_version_and_the_defaults_of_this_server() {
    let world = World::new().await;
    let answered = world.get("/api/openapi.json").await;
    assert_eq!(
        (answered.status.as_u16(), &answered.headers["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    assert_eq!(answered.body["openapi"], "3.1.0");
    assert_eq!(answered.body["info"]["version"], "1.2.3");
    let options = &answered.body["components"]["schemas"]["Options"]["properties"];
    assert_eq!(options["prepared_timeout_secs"]["default"], 35.0);
}

#[tokio::test(start_paused = true)]
async fn the_page_and_all_its_parts_come_from_this_server() {
    let world = World::new().await;
    let page = world.get("/api/docs").await;
    assert_eq!(page.status, 200);
    assert!(
        page.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    assert!(
        page.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'self'")
    );
    assert!(page.text.contains("<base href=\"docs/\">"), "{}", page.text);
    assert!(!page.text.contains("://"), "{}", page.text);
    let quoted = page.text.split('"').skip(1).step_by(2);
    let parts: Vec<&str> = quoted
        .filter(|text| {
            [".css", ".js", ".png"]
                .iter()
                .any(|end| text.ends_with(end))
        })
        .map(|text| text.trim_start_matches("./"))
        .collect();
    assert!(parts.len() >= 4, "{parts:?}");
    for part in parts {
        let answered = world.get(&format!("/api/docs/{part}")).await;
        assert_eq!(answered.status, 200, "{part}");
        assert!(!answered.text.is_empty(), "{part}");
    }
    let start = world.get("/api/docs/swagger-initializer.js").await.text;
    assert!(start.contains("/api/openapi.json"), "{start}");
    assert!(
        start.contains("validatorUrl") && !start.contains("://"),
        "{start}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_that_the_page_does_not_have_is_no_route() {
    let world = World::new().await;
    for part in [
        "nothing.js",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "index.html.map",
    ] {
        assert_eq!(
            world.get(&format!("/api/docs/{part}")).await.code(),
            "ROUTE_NOT_FOUND",
            "{part}"
        );
    }
}
