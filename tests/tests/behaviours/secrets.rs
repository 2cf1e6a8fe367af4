//! What must not be read by whoever reads logs.

use std::fs;

use seata_tests::{Setup, saga, scene_with};
use serde_json::json;

#[tokio::test]
async fn no_secret_of_a_request_gets_into_the_log() {
    let setup = Setup::new().with("SEATA_LOG", "trace");
    let (mut server, client, participants) = scene_with(setup).await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("quiet")
        .branch("one", at("first/1/500/oops"), at("ok"))
        .with_branch(
            "headers",
            json!({ "authorization": "Bearer secret-of-a-branch" }),
        )
        .with_branch("payload", json!({ "card": "secret-of-a-payload" }))
        .branch("two", at("refuse"), at("ok"))
        .after(&["one"])
        .with(
            "options",
            json!({ "retry_interval_secs": 0.02, "headers": { "x-api-key": "secret-of-a-saga" } }),
        );
    client.run(whole).await;
    let bad = json!({ "gid": "bad", "payload": "secret-of-a-payload", "branches": 7 });
    client
        .post("/api/submit", bad)
        .await
        .refused(400, "INVALID_REQUEST");
    let tx = client.get("/api/tx/quiet").await;
    assert!(!tx.text.contains("secret-of-a-branch"), "{}", tx.text);
    server.terminate();
    assert!(server.ended().await.success());
    let output = server.output();
    assert!(!output.contains("secret-of"), "{output}");
}

/// The keys of stores that are not built yet, and names that come close to them: none of their values is shown to whoever
/// reads the log of a start, or what `config` prints.
#[tokio::test]
async fn no_secret_of_the_configuration_is_printed() {
    for (name, value) in [
        ("SEATA_REDIS_URL", "redis://user:secret-word@127.0.0.1:1/0"),
        ("SEATA_REDIS_ULR", "redis://user:secret-word@127.0.0.1:1/0"),
        (
            "SEATA_MYSQL_DSN",
            "mysql://user:secret-word@127.0.0.1:1/seata",
        ),
        (
            "SEATA_POSTGRES_DSN",
            "postgres://user:secret-word@127.0.0.1:1/seata",
        ),
    ] {
        let key = name.trim_start_matches("SEATA_").to_lowercase();
        let by_file = Setup::new();
        let file = by_file.folder().join("conf.yaml");
        fs::write(&file, format!("{key}: {value}\n")).unwrap();
        let by_environment = Setup::new().with(name, value);
        for setup in [by_environment, by_file] {
            let setup = setup.with("SEATA_LOG", "trace");
            let started = setup.refused().await.output;
            let output = setup.argument("config").run();
            let shown = [output.stdout, output.stderr].concat();
            let shown = String::from_utf8_lossy(&shown).into_owned();
            for printed in [started, shown] {
                assert!(printed.to_lowercase().contains(&key), "{printed}");
                assert!(!printed.contains("secret-word"), "{printed}");
            }
        }
    }
}
