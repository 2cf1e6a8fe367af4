//! Endpoints are understood at the edge: what could never be called is refused, not retried for ever.

use serde_json::json;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_could_never_be_called_is_refused_at_the_edge() {
    let world = World::new().await;
    for endpoint in [
        "",
        "a",
        "/do",
        "//a/do",
        "http:",
        "http:/a",
        "http://",
        "http:///do",
        "http://:80/",
        "http://a:0/",
        "http://a:99999/",
        "http://a:80:90/",
        "http://a:b/",
        "http://u:p@a/",
        "http://a/#x",
        "http://[::1/do",
        "http://[::1]x/do",
        "http://::1/do",
        "http://a]b/",
        "http://[/",
        "http://[]/",
        "http://a\u{e9}/",
        "http://a b/",
        "http://a/\n",
        "http://a\\b/",
        "http://a%20b/",
        "http://%61/",
        "http://[zz]/",
        "http://a'b\"/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "grpc://a:1/p.S",
        "http://a..b/",
        "http://*/",
        "http://$(x)/",
        "http://a&b/",
        "http://a;b/",
    ] {
        let branch = json!({"branch_id": "b", "action": endpoint});
        let answered = world
            .post("/api/start", json!({"branches": [branch]}))
            .await;
        assert_eq!(
            (answered.status.as_u16(), &answered.body["details"]["field"]),
            (400, &json!("branches[0].action")),
            "{endpoint:?}: {}",
            answered.body
        );
        assert_eq!(answered.code(), "INVALID_REQUEST");
    }
    for endpoint in [
        "http://a",
        "http://a:80",
        "https://a.b-c_d/x/y?z=1&q=%20'",
        "http://127.0.0.1:8080/",
        "http://[::1]:8080/p",
        "http://a./do",
        "grpc://a:1/p.S/M",
        "grpcs://a/p.S/M",
    ] {
        let branch = json!({"branch_id": "b", "action": endpoint, "compensation": endpoint});
        let answered = world
            .post("/api/start", json!({"branches": [branch]}))
            .await;
        assert_eq!(answered.status, 200, "{endpoint:?}: {}", answered.body);
    }
}
