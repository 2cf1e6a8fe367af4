//! A misspelt or impossible configuration stops the start, says what is wrong, and leaves nothing behind.

use std::fs;
use std::net::TcpListener;

use seata_tests::{Participants, Setup, saga};

#[tokio::test]
async fn a_misspelt_variable_or_value_stops_the_start_by_name() {
    for (name, value, said) in [
        ("SEATA_HTPP_PORT", "1", "SEATA_HTTP_PORT"),
        ("SEATA_HTTP_PORT", "many", "many"),
        ("SEATA_HTTP_PORT", "70000", "70000"),
        ("SEATA_LEASE_SECS", "-1", "-1"),
        ("SEATA_LEASE_SECS", "soon", "soon"),
        ("SEATA_ACTIVE_MAX", "0", "0"),
        ("SEATA_LOG_FORMAT", "prety", "prety"),
        ("SEATA_STORE", "embeded", "embeded"),
        ("SEATA_BIND", "nowhere at all", "nowhere"),
    ] {
        let refused = Setup::new().with(name, value).refused().await;
        assert!(!refused.status.success());
        let named = refused.output.to_uppercase().contains(name);
        assert!(named, "{name}: {}", refused.output);
        assert!(refused.output.contains(said), "{name}: {}", refused.output);
    }
}

#[tokio::test]
async fn a_misspelt_key_in_the_file_stops_the_start_by_name() {
    for (text, said) in [
        ("grace_secz: 3\n", "grace_secz"),
        ("grace_secs: soon\n", "grace_secs"),
        ("grace_secs: [1\n", "conf"),
    ] {
        let setup = Setup::new();
        let file = setup.folder().join("conf.yaml");
        fs::write(&file, text).unwrap();
        let setup = setup.argument("--config").argument(&file.to_string_lossy());
        let refused = setup.refused().await;
        assert!(!refused.status.success());
        assert!(refused.output.contains(said), "{text}: {}", refused.output);
    }
}

#[tokio::test]
async fn a_misspelt_flag_or_its_value_stops_the_start_by_name() {
    for (flag, value, said) in [
        ("--grace-secz", "3", "--grace-secs"),
        ("--grace-secs", "soon", "soon"),
        ("--http-port", "70000", "70000"),
        ("--store", "embeded", "embedded"),
    ] {
        let refused = Setup::new().argument(flag).argument(value).refused().await;
        // Only what the command line can't be is told apart from all else that stops a start.
        let code = if flag == "--grace-secz" { 2 } else { 1 };
        assert_eq!(refused.status.code(), Some(code), "{}", refused.output);
        for said in [flag, said] {
            assert!(refused.output.contains(said), "{flag}: {}", refused.output);
        }
    }
}

#[tokio::test]
async fn a_file_that_is_named_but_missing_stops_the_start() {
    let setup = Setup::new().argument("--config").argument("nowhere.yaml");
    let refused = setup.refused().await;
    assert!(!refused.status.success());
    assert!(
        refused.output.contains("nowhere.yaml"),
        "{}",
        refused.output
    );
}

#[tokio::test]
async fn the_environment_wins_over_the_file() {
    let setup = Setup::new();
    let file = setup.folder().join("conf.yaml");
    fs::write(&file, "payload_bytes_max: 10\ngrace_secs: 1.5\n").unwrap();
    let setup = setup
        .with("SEATA_PAYLOAD_BYTES_MAX", 20)
        .argument("--config")
        .argument(&file.to_string_lossy());
    let server = setup.start().await;
    let (client, participants) = (server.client(), Participants::start().await);
    let whole = |gid: &str, payload: String| {
        saga(gid)
            .branch_without_compensation("one", participants.url("ok"))
            .with_branch("payload", payload)
    };
    let fits = client.run(whole("fits", "x".repeat(18))).await;
    assert_eq!(fits["status"], "COMMITTED");
    let answer = client
        .post("/api/submit", whole("large", "x".repeat(19)))
        .await;
    answer.refused(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start_before_a_folder_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let setup = Setup::new().with("SEATA_HTTP_PORT", address.port());
    let refused = setup.refused().await;
    assert_eq!(refused.status.code(), Some(1));
    for said in [address.to_string().as_str(), "SEATA_HTTP_PORT"] {
        assert!(refused.output.contains(said), "{}", refused.output);
    }
    assert!(!setup.data().exists());
}

#[tokio::test]
async fn a_data_folder_that_is_a_file_stops_the_start_by_name() {
    let setup = Setup::new();
    fs::write(setup.data(), "mine").unwrap();
    let refused = setup.refused().await;
    assert_eq!(refused.status.code(), Some(1));
    let data = setup.data().to_string_lossy().into_owned();
    for said in [data.as_str(), "is not a folder", "SEATA_DATA_DIR"] {
        assert!(refused.output.contains(said), "{}", refused.output);
    }
    assert_eq!(fs::read_to_string(setup.data()).unwrap(), "mine");
}

#[tokio::test]
async fn a_store_and_its_address_stop_the_start_unless_both_are_given() {
    let address = "postgres://seata:secret-word@127.0.0.1:1/seata";
    for (store, dsn, said) in [
        (Some("postgres"), None, "set SEATA_POSTGRES_DSN"),
        (None, Some(address), "set SEATA_STORE=postgres"),
        (Some("mysql"), Some(address), "set SEATA_MYSQL_DSN"),
        (
            Some("postgres"),
            Some("mysql://seata:secret-word@127.0.0.1/s"),
            "begins with postgres://",
        ),
        // Nobody listens there, and it is not waited for.
        (Some("postgres"), Some(address), "Connection refused"),
    ] {
        let mut setup = Setup::new();
        for (name, value) in [("SEATA_STORE", store), ("SEATA_POSTGRES_DSN", dsn)] {
            if let Some(value) = value {
                setup = setup.with(name, value);
            }
        }
        let refused = setup.refused().await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(refused.output.contains(said), "{}", refused.output);
        assert!(
            !refused.output.contains("secret-word"),
            "{}",
            refused.output
        );
        assert!(!setup.data().exists());
    }
}

#[tokio::test]
async fn migrating_a_store_without_tables_has_nothing_to_do_and_touches_nothing() {
    let stores: [&[(&str, &str)]; 3] = [
        &[("SEATA_STORE", "embedded")],
        &[("SEATA_STORE", "sled")],
        // Nobody listens there, and nobody asks.
        &[
            ("SEATA_STORE", "redis"),
            ("SEATA_REDIS_URL", "redis://127.0.0.1:1/0"),
        ],
    ];
    for keys in stores {
        let mut setup = Setup::new().argument("migrate");
        for (name, value) in keys {
            setup = setup.with(name, value);
        }
        let ended = setup.refused().await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
        assert!(
            ended.output.contains("there is nothing to do"),
            "{}",
            ended.output
        );
        assert!(!setup.data().exists());
    }
}
