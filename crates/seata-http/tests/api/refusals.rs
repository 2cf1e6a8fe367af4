//! Every kind of bad input gets the one shape, a stable code, and a text that says what to change.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::world::{LIMITS, World, branch, plus, saga};

/// (path, body, code, what the text must hold, the field in the details)
#[rustfmt::skip] // A table, to be read across.
const BODIES: &[(&str, &str, &str, &str, &str)] = &[
    ("/api/submit", "", "INVALID_REQUEST", "is not JSON", ""),
    ("/api/submit", "{", "INVALID_REQUEST", "is not JSON", ""),
    ("/api/submit", "{} x", "INVALID_REQUEST", "trailing characters at line 1, column 4", ""),
    ("/api/submit", "[]", "INVALID_REQUEST", "expected an object", ""),
    ("/api/submit", "null", "INVALID_REQUEST", "expected an object", ""),
    ("/api/submit", "{}", "INVALID_REQUEST", "nothing to submit", ""),
    ("/api/submit", r#"{"gid":"g","mode":"saga"}"#, "INVALID_REQUEST", "with its branches", "branches"),
    ("/api/submit", r#"{"gid":"g","branches":[]}"#, "INVALID_REQUEST", "branches: is empty", "branches"),
    ("/api/submit", r#"{"gid":"g","wiat":true}"#, "INVALID_REQUEST", "near to `wait`", "wiat"),
    ("/api/submit", r#"{"gid":"g","brances":[]}"#, "INVALID_REQUEST", "near to `branches`", "brances"),
    ("/api/submit", r#"{"gid":"g","branches":[],"timeout_to_fail_secs":3}"#, "INVALID_REQUEST", "give the option `timeout_to_fail_secs` within `options`", "timeout_to_fail_secs"),
    ("/api/start", r#"{"gid":"g","timeoutToFail":3}"#, "INVALID_REQUEST", "give the option `timeout_to_fail_secs` within `options`", "timeoutToFail"),
    ("/api/start", r#"{"gid":"g","headers":{}}"#, "INVALID_REQUEST", "give the option `headers` within `options`", "headers"),
    ("/api/abort", r#"{"gid":"g","resaon":"x"}"#, "INVALID_REQUEST", "near to `reason`", "resaon"),
    ("/api/submit", r#"{"gid":5}"#, "INVALID_REQUEST", "gid: invalid type: integer `5`, expected a text", "gid"),
    ("/api/submit", r#"{"gid":"g","gid":"g"}"#, "INVALID_REQUEST", "given twice", "gid"),
    ("/api/submit", r#"{"gid":"a'b"}"#, "INVALID_GID", "'\\''", "gid"),
    ("/api/submit", r#"{"gid":""}"#, "INVALID_GID", "gid: is empty", "gid"),
    ("/api/submit", r#"{"gid":"g","wait":"yes"}"#, "INVALID_REQUEST", "expected true, false or a number of seconds", "wait"),
    ("/api/submit", r#"{"gid":"g","wait":301}"#, "INVALID_REQUEST", "give 0 to 300 seconds", "wait"),
    ("/api/submit", r#"{"gid":"g","wait":-1}"#, "INVALID_REQUEST", "out of range", "wait"),
    ("/api/submit", r#"{"gid":"g","wait":1e999}"#, "INVALID_REQUEST", "number out of range", ""),
    ("/api/start", r#"{"mode":"xa"}"#, "INVALID_REQUEST", "\"xa\" is no mode", "mode"),
    ("/api/start", r#"{"branches":{}}"#, "INVALID_REQUEST", "expected a list", "branches"),
    ("/api/start", r#"{"branches":[7]}"#, "INVALID_REQUEST", "expected an object with the fields of a branch", "branches[0]"),
    ("/api/start", r#"{"branches":[{"action":"http://a/"}]}"#, "INVALID_REQUEST", "is missing", "branches[0].branch_id"),
    ("/api/start", r#"{"branches":[{"branch_id":"b"}]}"#, "INVALID_REQUEST", "is missing", "branches[0].action"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":"ftp://a"}]}"#, "INVALID_REQUEST", "https://, grpc:// or grpcs://", "branches[0].action"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":""}]}"#, "INVALID_REQUEST", "endpoint is empty", "branches[0].action"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":"HTTP://a/"}]}"#, "INVALID_REQUEST", "begin it with http://", "branches[0].action"),
    ("/api/start", r#"{"branches":[{"branch_id":"","action":"http://a/"}]}"#, "INVALID_REQUEST", "branches[0].branch_id: is empty", "branches[0].branch_id"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":"local://a"}]}"#, "INVALID_REQUEST", "embeds", "branches[0].action"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":"http://a/","compensation":""}]}"#, "INVALID_REQUEST", "is empty", "branches[0].compensation"),
    ("/api/start", r#"{"branches":[{"branch_id":"b b","action":"http://a/"}]}"#, "INVALID_REQUEST", "' '", "branches[0].branch_id"),
    ("/api/start", r#"{"branches":[{"compensaton":"http://a/"}]}"#, "INVALID_REQUEST", "the nearest known one is `compensation`", "branches[0].compensaton"),
    ("/api/start", r#"{"branches":[{"compensation":"http://a/","compensate":"http://a/"}]}"#, "INVALID_REQUEST", "two names", "branches[0].compensate"),
    ("/api/start", r#"{"branches":[{"gid":"g","branch_id":"b","action":"http://a/"}]}"#, "INVALID_REQUEST", "unknown field", "branches[0].gid"),
    ("/api/start", r#"{"branches":[{},{"after":[7]}]}"#, "INVALID_REQUEST", "expected a text", "branches[1].after[0]"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":"http://a/","after":["x y"]}]}"#, "INVALID_REQUEST", "' '", "branches[0].after[0]"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":"http://a/","after":["c"]}]}"#, "INVALID_REQUEST", "b comes after c", "branches[0].after"),
    ("/api/start", r#"{"branches":[{"branch_id":"a","action":"http://a/"},{"branch_id":"b","action":"http://a/","after":["b"]}]}"#, "INVALID_REQUEST", "branch b waits for itself", "branches[1].after"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":"http://a/"},{"branch_id":"b","action":"http://a/"}]}"#, "INVALID_REQUEST", "given twice", "branches[1].branch_id"),
    ("/api/start", r#"{"branches":[{"branch_id":"a","action":"http://a/","after":["b"]},{"branch_id":"b","action":"http://a/","after":["a"]}]}"#, "INVALID_REQUEST", "wait for each other", "branches[1].after"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":"http://a/","max_attempts":3}]}"#, "INVALID_REQUEST", "give the option `max_attempts` within `options`", "branches[0].max_attempts"),
    ("/api/start", r#"{"branches":[{"branch_id":"b","action":"http://a/","order":"sequential"}]}"#, "INVALID_REQUEST", "within the transaction's `options`", "branches[0].order"),
    ("/api/start", r#"{"options":{"order":"random"}}"#, "INVALID_REQUEST", "\"concurrent\" or \"sequential\"", "options.order"),
    ("/api/start", r#"{"options":{"retry_intervall_secs":1}}"#, "INVALID_REQUEST", "`retry_interval_secs`", "options.retry_intervall_secs"),
    ("/api/start", r#"{"options":{"request_timeout_secs":"3"}}"#, "INVALID_REQUEST", "expected a number of seconds", "options.request_timeout_secs"),
    ("/api/start", r#"{"options":{"request_timeout_secs":0}}"#, "INVALID_REQUEST", "give 0.01 to 86400 seconds", "options.request_timeout_secs"),
    ("/api/start", r#"{"options":{"timeout_to_fail_secs":1e300}}"#, "INVALID_REQUEST", "give 0.01 to 31536000 seconds", "options.timeout_to_fail_secs"),
    ("/api/start", r#"{"options":{"retry_interval_secs":5,"retry_interval_max_secs":1}}"#, "INVALID_REQUEST", "is shorter", "options.retry_interval_max_secs"),
    ("/api/start", r#"{"options":{"max_attempts":-1}}"#, "INVALID_REQUEST", "expected a whole number", "options.max_attempts"),
    ("/api/start", r#"{"options":{"max_attempts":1.5}}"#, "INVALID_REQUEST", "expected a whole number", "options.max_attempts"),
    ("/api/start", r#"{"options":{"branch_parallelism":0}}"#, "INVALID_REQUEST", "give 1 to 1000", "options.branch_parallelism"),
    ("/api/start", r#"{"options":{"headers":["x"]}}"#, "INVALID_REQUEST", "expected an object of names and texts", "options.headers"),
    ("/api/start", r#"{"options":{"headers":{"x":1}}}"#, "INVALID_REQUEST", "expected a text", "options.headers.x"),
    ("/api/start", r#"{"options":{"headers":{"a b":"1"}}}"#, "INVALID_REQUEST", "no name of a header", "options.headers"),
    ("/api/start", r#"{"options":{"headers":{"x":"a\nb"}}}"#, "INVALID_REQUEST", "no value of a header", "options.headers.x"),
    ("/api/start", r#"{"options":{"headers":{"x":"1","X":"1"}}}"#, "INVALID_REQUEST", "given twice", "options.headers"),
    ("/api/start", r#"{"options":{"headers":{"Seata-Gid":"1"}}}"#, "INVALID_REQUEST", "sets this header itself", "options.headers.Seata-Gid"),
    ("/api/start", r#"{"options":{"headers":{"Transfer-Encoding":"chunked"}}}"#, "INVALID_REQUEST", "sets this header itself", "options.headers.Transfer-Encoding"),
    ("/api/start", r#"{"payload":1,"payload_base64":"MQ=="}"#, "INVALID_REQUEST", "give one of them", "payload_base64"),
    ("/api/start", r#"{"payload":1,"content_type":"text/plain"}"#, "INVALID_REQUEST", "goes with `payload_base64`", "content_type"),
    ("/api/start", r#"{"payload_base64":"?"}"#, "INVALID_REQUEST", "is no base64", "payload_base64"),
    ("/api/start", r#"{"payload_base64":"MQ==","content_type":"plain"}"#, "INVALID_REQUEST", "is no content type", "content_type"),
    ("/api/branch/add", r#"{"branch_id":"b","action":"http://a/"}"#, "INVALID_REQUEST", "is missing", "gid"),
    ("/api/branch/add", r#"{"gid":"g","branch_id":"b","action":"http://a/","headers":{},"options":{"headers":{}}}"#, "INVALID_REQUEST", "give one of them", "options.headers"),
    ("/api/branch/add", r#"{"gid":"g","branch_id":"b","action":"http://a/","options":{"order":"sequential"}}"#, "INVALID_REQUEST", "unknown field: `order` is an option of the transaction", "options.order"),
    ("/api/branch/add", r#"{"gid":"none","branch_id":"b","action":"http://a/"}"#, "TRANSACTION_NOT_FOUND", "no transaction none", ""),
    ("/api/submit", r#"{"gid":"none"}"#, "TRANSACTION_NOT_FOUND", "no transaction none", ""),
    ("/api/abort", r#"{"gid":"none"}"#, "TRANSACTION_NOT_FOUND", "no transaction none", ""),
    ("/api/abort", r#"{"gid":"none","reason":1}"#, "INVALID_REQUEST", "expected a text", "reason"),
    ("/api/tx/g/retry", "{}", "INVALID_REQUEST", "say why", "reason"),
    ("/api/tx/g/retry", r#"{"reason":"  "}"#, "INVALID_REQUEST", "say why", "reason"),
    ("/api/tx/g/retry", r#"{"reason":"x","brnch_id":"b"}"#, "INVALID_REQUEST", "the nearest known one is `branch_id`", "brnch_id"),
    ("/api/tx/g/retry", r#"{"reason":"x","comment":"y"}"#, "INVALID_REQUEST", "unknown field", "comment"),
    ("/api/tx/g/retry", r#"{"reason":"x","to":"aborted"}"#, "INVALID_REQUEST", "does not belong to this order", "to"),
    ("/api/tx/g/skip", r#"{"reason":"x","branch_id":"b","operaton":"compensation"}"#, "INVALID_REQUEST", "the nearest known one is `operation`", "operaton"),
    ("/api/tx/g/skip", r#"{"reason":"x","branch_id":"b","to":"aborted"}"#, "INVALID_REQUEST", "does not belong to this order", "to"),
    ("/api/tx/g/force", r#"{"reason":"x","to":"aborted","branch_id":"b"}"#, "INVALID_REQUEST", "does not belong to this order", "branch_id"),
    ("/api/tx/g/skip", r#"{"reason":"x"}"#, "INVALID_REQUEST", "is missing", "branch_id"),
    ("/api/tx/g/skip", r#"{"reason":"x","branch_id":"b","operation":"undo"}"#, "INVALID_REQUEST", "give one of \"action\", \"compensation\"", "operation"),
    ("/api/tx/g/force", r#"{"reason":"x"}"#, "INVALID_REQUEST", "is missing", "to"),
    ("/api/tx/g/force", r#"{"reason":"x","to":"done"}"#, "INVALID_REQUEST", "give \"committed\" or \"aborted\"", "to"),
    ("/api/tx/none/retry", r#"{"reason":"x"}"#, "TRANSACTION_NOT_FOUND", "no transaction none", ""),
    ("/api/tx/a%27b/retry", r#"{"reason":"x"}"#, "INVALID_GID", "'\\''", "gid"),
];

#[tokio::test(start_paused = true)]
async fn every_bad_body_is_refused_with_its_field_and_what_to_do() {
    let world = World::new().await;
    for (path, body, code, says, field) in BODIES {
        let answered = world.post_bytes(path, *body).await;
        assert_ne!(answered.status, 200, "{path} {body}");
        assert_eq!(answered.code(), *code, "{path} {body}: {}", answered.body);
        assert!(
            answered.error().contains(says),
            "{path} {body}: {}",
            answered.body
        );
        let named = answered.body["details"]["field"].as_str().unwrap_or("");
        assert_eq!(named, *field, "{path} {body}: {}", answered.body);
    }
    assert_eq!(
        world.get("/api/tx").await.body,
        json!([]),
        "nothing came of any of it"
    );
}

#[tokio::test(start_paused = true)]
async fn every_bad_query_and_path_is_refused() {
    let world = World::new().await;
    for (path, code, says) in [
        ("/api/tx?limit=0", "INVALID_REQUEST", "from 1 to 1000"),
        ("/api/tx?limit=1001", "INVALID_REQUEST", "from 1 to 1000"),
        ("/api/tx?limit=-1", "INVALID_REQUEST", "from 1 to 1000"),
        ("/api/tx?limit=1&limit=2", "INVALID_REQUEST", "twice"),
        ("/api/tx?offset=10001", "INVALID_REQUEST", "from 0 to 10000"),
        (
            "/api/tx?offset=1&cursor=1~g",
            "INVALID_REQUEST",
            "give one of them",
        ),
        ("/api/tx?cursor=x", "INVALID_REQUEST", "x-next-cursor"),
        (
            "/api/tx?status=DONE",
            "INVALID_REQUEST",
            "PREPARED, SUBMITTED",
        ),
        ("/api/tx?mode=xa", "INVALID_REQUEST", "saga"),
        (
            "/api/tx?created_after=yesterday",
            "INVALID_REQUEST",
            "RFC 3339",
        ),
        ("/api/tx?created_before=NaN", "INVALID_REQUEST", "RFC 3339"),
        (
            "/api/tx?gid_prefix=%27",
            "INVALID_REQUEST",
            "gid_prefix: holds",
        ),
        ("/api/tx?staus=STUCK", "INVALID_REQUEST", "`status`"),
        ("/api/tx?status=", "INVALID_REQUEST", "status: is empty"),
        ("/api/tx?mode", "INVALID_REQUEST", "mode: is empty"),
        ("/api/tx?a=%zz", "INVALID_REQUEST", "percent-encode"),
        ("/api/tx?a=%ff", "INVALID_REQUEST", "UTF-8"),
        ("/api/tx/%zz", "INVALID_GID", "percent-encode"),
        ("/api/tx/a%22%3Cscript%3E", "INVALID_GID", "allowed are"),
        ("/api/tx/none", "TRANSACTION_NOT_FOUND", "none"),
        ("/api/tx/none/events", "TRANSACTION_NOT_FOUND", "none"),
        ("/api/tx/none/nothing", "ROUTE_NOT_FOUND", "docs/api.md"),
        ("/", "ROUTE_NOT_FOUND", "docs/api.md"),
        ("/api/tx/", "ROUTE_NOT_FOUND", "docs/api.md"),
        ("/%ff%00", "ROUTE_NOT_FOUND", "docs/api.md"),
    ] {
        let answered = world.get(path).await;
        assert_eq!(answered.code(), code, "{path}: {}", answered.body);
        assert!(answered.error().contains(says), "{path}: {}", answered.body);
    }
}

#[tokio::test(start_paused = true)]
async fn the_wrong_method_is_told_the_right_one() {
    let world = World::new().await;
    for (method, path, allowed) in [
        ("GET", "/api/submit", "POST"),
        ("DELETE", "/api/tx/g", "GET,HEAD"),
        ("POST", "/health", "GET,HEAD"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let answered = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answered.code(), "METHOD_NOT_ALLOWED");
        assert_eq!(answered.headers["allow"], allowed);
        let methods: Vec<_> = allowed.split(',').collect();
        assert_eq!(answered.body["details"]["allow"], json!(methods));
        let said = format!("ask it with {}", methods.join(" or "));
        assert!(answered.error().ends_with(&said), "{}", answered.body);
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_says_that_it_is_json_is_read_as_json() {
    let world = World::new().await;
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("\u{e9}"),
    ] {
        let mut request = Request::post("/api/start");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answered = world.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answered.code(), "UNSUPPORTED_MEDIA_TYPE");
    }
    let request =
        Request::post("/api/start").header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(
        world
            .send(request.body(Body::from("{}")).unwrap())
            .await
            .status,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_refused_and_what_just_fits_is_kept_whole() {
    let world = World::new().await;
    let text = |bytes: usize| json!("x".repeat(bytes - 2));
    let fits = plus(
        saga("fits"),
        json!({"payload": text(LIMITS.payload_bytes_max), "wait": true}),
    );
    assert_eq!(world.post("/api/submit", fits).await.status, 200);
    let shown = world.get("/api/tx/fits").await.body;
    assert_eq!(
        shown["payload"].as_str().unwrap().len(),
        LIMITS.payload_bytes_max - 2
    );
    for more in [
        json!({"payload": text(LIMITS.payload_bytes_max + 1)}),
        json!({"payload_base64": "A".repeat(LIMITS.payload_bytes_max.div_ceil(3) * 4 + 4)}),
        json!({"branches": [plus(branch("b"), json!({"payload": text(LIMITS.payload_bytes_max + 1)}))]}),
        json!({"ignored": "x".repeat(LIMITS.body_bytes_max)}),
    ] {
        let answered = world.post("/api/submit", plus(saga("large"), more)).await;
        assert_eq!(answered.code(), "PAYLOAD_TOO_LARGE");
        assert!(
            answered.body["details"]["bytes_max"].is_u64(),
            "{}",
            answered.body
        );
        let key = match answered.body["details"]["field"].as_str() {
            Some(_) => "raise SEATA_PAYLOAD_BYTES_MAX",
            None => "raise SEATA_BODY_BYTES_MAX",
        };
        assert!(answered.error().contains(key), "{}", answered.body);
    }
    let declared = Request::post("/api/submit")
        .header("content-type", "application/json")
        .header("content-length", "99999999")
        .header("expect", "100-continue");
    assert_eq!(
        world
            .send(declared.body(Body::empty()).unwrap())
            .await
            .code(),
        "PAYLOAD_TOO_LARGE"
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_text_and_texts_that_nest_too_deep_are_refused() {
    let world = World::new().await;
    let answered = world
        .post_bytes("/api/start", &b"{\"gid\":\"\xff\"}"[..])
        .await;
    assert_eq!(answered.code(), "INVALID_REQUEST");
    assert!(
        answered.error().contains("UTF-8 at byte 8"),
        "{}",
        answered.body
    );
    let deep = format!("{{\"payload\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let answered = world.post_bytes("/api/start", deep).await;
    assert_eq!(answered.code(), "INVALID_REQUEST");
    assert!(
        answered.error().contains("deeper than 128"),
        "{}",
        answered.body
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_text_is_not_thrown_back_at_its_sender() {
    let world = World::new().await;
    let body = json!({"branches": [{"branch_id": "x".repeat(10_000), "action": "http://a/"}], "wait": "y".repeat(10_000)});
    let answered = world.post("/api/submit", body).await;
    assert!(answered.error().len() < 700);
}

#[tokio::test(start_paused = true)]
async fn a_gid_that_the_server_made_is_not_told_of_what_is_wrong_in_itself() {
    let world = World::new().await;
    for (path, body) in [
        ("/api/submit", json!({"branches": []})),
        (
            "/api/start",
            json!({"branches": [plus(branch("b"), json!({"after": ["c"]}))]}),
        ),
    ] {
        let answered = world.post(path, body.clone()).await;
        assert_eq!(answered.code(), "INVALID_REQUEST");
        let details = &answered.body["details"];
        assert!(details["gid"].is_null(), "{}", answered.body);
        let named = plus(body, json!({"gid": "mine"}));
        let answered = world.post(path, named).await;
        assert_eq!(answered.body["details"]["gid"], "mine", "{}", answered.body);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_near_to_any_field_is_stepped_over_but_in_an_order() {
    let world = World::new().await;
    let other = json!({"comment": "x", "tenant": {"id": 7}});
    let whole = plus(saga("g"), other.clone());
    assert_eq!(world.post("/api/submit", whole).await.status, 200);
    let abort = plus(json!({"gid": "none"}), other.clone());
    let answered = world.post("/api/abort", abort).await;
    assert_eq!(answered.code(), "TRANSACTION_NOT_FOUND");
    let order = plus(json!({"reason": "x"}), other);
    let answered = world.post("/api/tx/g/retry", order).await;
    assert_eq!(answered.code(), "INVALID_REQUEST", "{}", answered.body);
}
