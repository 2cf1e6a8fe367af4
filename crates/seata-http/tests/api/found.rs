//! Mistakes that requests made from the document have found.

use serde_json::{Value, json};

use crate::world::{World, branch, plus};

async fn refused_field(body: Value) -> Value {
    let world = World::new().await;
    let answered = world.post("/api/start", body).await;
    assert_eq!(answered.code(), "INVALID_REQUEST", "{answered:?}");
    answered.body["details"]["field"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_header_of_other_characters_than_ascii_is_refused() {
    for value in ["\u{84}", "é", "a\u{7f}", "a\nb", "a\0"] {
        let body = json!({"options": {"headers": {"x-tenant": value}}});
        assert_eq!(
            refused_field(body).await,
            "options.headers.x-tenant",
            "{value:?}"
        );
        let own = plus(branch("b1"), json!({"headers": {"x-tenant": value}}));
        let field = refused_field(json!({"branches": [own]})).await;
        assert_eq!(field, "branches[0].headers.x-tenant", "{value:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_content_type_of_other_characters_than_ascii_is_refused() {
    for kind in ["text/\u{84}", "tëxt/plain", "text/plain\u{7f}"] {
        let body = json!({"payload_base64": "YQ==", "content_type": kind});
        assert_eq!(refused_field(body).await, "content_type", "{kind:?}");
    }
}
