//! The configuration as a whole: order, refusals, and the page that documents it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, text)| (OsString::from(name), OsString::from(text)))
        .collect();
    pairs.into_iter()
}

fn refused(pairs: &[(&str, &str)]) -> String {
    let given = Given::defaults().environment(environment(pairs));
    let read = given.and_then(|given| Settings::read(&given));
    format!("{:#}", read.unwrap_err())
}

#[test]
fn the_defaults_are_allowed() {
    let settings = Settings::read(&Given::defaults()).unwrap();
    assert_eq!(settings.http_port, 36_789);
    assert_eq!(settings.grpc_port, 36_790);
    assert_eq!(settings.timeout_to_fail_secs, None);
    assert_eq!(settings.retention_secs, Duration::from_secs(7 * 86_400));
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conf.yaml");
    fs::write(&path, "grace_secs: 1.5\nlease_secs: 20\nmax_attempts: 3\n").unwrap();
    let variables = [
        ("SEATA_LEASE_SECS", "30"),
        ("SEATA_MAX_ATTEMPTS", "4"),
        ("PATH", "/bin"),
    ];
    let mut given = Given::defaults()
        .file(&ConfigFile::Named(path))
        .unwrap()
        .environment(environment(&variables))
        .unwrap();
    let key = KEYS.iter().find(|key| key.name == "max_attempts").unwrap();
    given.flag(key, "5".to_owned());
    let settings = Settings::read(&given).unwrap();
    assert_eq!(settings.grace_secs, Duration::from_millis(1_500));
    assert_eq!(settings.lease_secs, Duration::from_secs(30));
    assert_eq!(settings.max_attempts, 5);
    let mut printed = Vec::new();
    print(&given, &mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    let line = |key: &str| printed.lines().find(|line| line.starts_with(key)).unwrap();
    assert!(line("grace_secs: 1.5 ").contains("# file "));
    assert!(line("lease_secs: 30 ").ends_with("# env SEATA_LEASE_SECS"));
    assert!(line("max_attempts: 5 ").ends_with("# flag --max-attempts"));
    assert!(line("http_port: 36789 ").ends_with("# default"));
}

#[test]
fn what_is_printed_can_be_read_again_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conf.yaml");
    let odd = [
        ("SEATA_DATA_DIR", "it's # a: folder"),
        ("SEATA_BIND", "::1"),
    ];
    let given = Given::defaults().environment(environment(&odd)).unwrap();
    print(&given, &mut fs::File::create(&path).unwrap()).unwrap();
    let again = Given::defaults().file(&ConfigFile::Named(path)).unwrap();
    for key in KEYS {
        assert_eq!(given.of(key.name).text, again.of(key.name).text);
    }
}

#[test]
fn every_bound_is_named_where_it_is_broken() {
    for (name, text) in [
        ("SEATA_STORE", "rediss"),
        ("SEATA_MIGRATE", "later"),
        ("SEATA_STORE_CONNECTIONS_MAX", "0"),
        ("SEATA_DATA_DIR", ""),
        ("SEATA_BIND", "localhost:1"),
        ("SEATA_HTTP_PORT", "65536"),
        ("SEATA_GRACE_SECS", "NaN"),
        ("SEATA_GRACE_SECS", "inf"),
        ("SEATA_RETENTION_SECS", "0"),
        ("SEATA_TIMEOUT_TO_FAIL_SECS", "never"),
        ("SEATA_PAYLOAD_BYTES_MAX", "1MiB"),
        ("SEATA_LOG", "inof"),
        ("SEATA_LOG", "seata=loud"),
    ] {
        let said = refused(&[(name, text)]);
        let expected = format!("{name} is {text:?}: it must be ");
        assert!(said.starts_with(&expected), "{said}");
    }
    assert!(refused(&[("SEATA_STORE", "rediss")]).contains("embedded or sled or redis"));
    let said = refused(&[("SEATA_RETRY_INTERVAL_SECS", "61")]);
    assert!(said.contains("SEATA_RETRY_INTERVAL_SECS is 61"), "{said}");
}

#[test]
fn an_unknown_variable_is_refused_without_its_value() {
    let said = refused(&[("SEATA_REDSI_URL", "redis://user:secret@host")]);
    assert!(said.starts_with("SEATA_REDSI_URL") && !said.contains("secret"));
    let said = refused(&[("SEATA_LEASE_SEC", "1")]);
    assert!(said.ends_with("the nearest is SEATA_LEASE_SECS"), "{said}");
}

#[test]
fn variables_that_kubernetes_sets_are_not_taken_for_settings() {
    let links = [
        ("SEATA_SERVICE_HOST", "10.0.0.1"),
        ("SEATA_SERVICE_PORT_HTTP", "36789"),
        ("SEATA_PORT", "tcp://10.0.0.1:36789"),
        ("SEATA_PORT_36789_TCP_ADDR", "10.0.0.1"),
        ("SEATA_SERVER_PORT", "tcp://10.0.0.1:36789"),
        ("SEATA_SERVER_SERVICE_PORT", "36789"),
    ];
    Given::defaults().environment(environment(&links)).unwrap();
}

#[test]
fn the_page_names_every_key_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(path).unwrap();
    for key in KEYS {
        let variable = format!("`{}`", key.variable());
        let row = page
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&variable));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md has no row of {variable}"));
        assert!(
            row.contains(key.default),
            "{variable} has the default {}: {row}",
            key.default
        );
    }
}

#[test]
fn a_store_without_its_address_and_an_address_without_its_store_are_refused() {
    let said = refused(&[("SEATA_STORE", "postgres")]);
    assert!(
        said.contains("set SEATA_POSTGRES_DSN, such as postgres://"),
        "{said}"
    );
    let said = refused(&[("SEATA_POSTGRES_DSN", "postgres://u:secret@h/s")]);
    assert!(said.starts_with("SEATA_POSTGRES_DSN is given"), "{said}");
    assert!(
        said.contains("set SEATA_STORE=postgres,") && !said.contains("secret"),
        "{said}"
    );
    let said = refused(&[
        ("SEATA_STORE", "mysql"),
        ("SEATA_MYSQL_DSN", "postgres://u:secret@h/s"),
    ]);
    assert!(
        said.starts_with(r#"SEATA_MYSQL_DSN is "postgres://u:***@h/s": it must be "#),
        "{said}"
    );
}

#[test]
fn an_address_of_a_store_that_was_not_chosen_is_told_of_and_left_alone() {
    let variables = [
        ("SEATA_STORE", "mysql"),
        ("SEATA_MYSQL_DSN", "mysql://u:p@a/s,mysql://u:p@b/s"),
        ("SEATA_REDIS_URL", "redis://a:6379"),
    ];
    let given = Given::defaults().environment(environment(&variables));
    let settings = Settings::read(&given.unwrap()).unwrap();
    assert_eq!(settings.unused(), ["redis_url"]);
    assert_eq!(settings.addresses_len(), 2);
    let kept = settings.kept().unwrap();
    assert!(matches!(kept, Kept::Mysql([_, _])), "{kept:?}");
}

#[test]
fn no_password_is_printed_wherever_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conf.yaml");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        Given::defaults().file(&ConfigFile::Named(path.clone()))
    };
    let given = read("store: redis\nredis_url: redis://u:secret@h:1/0\n").unwrap();
    let mut printed = Vec::new();
    print(&given, &mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.contains("'redis://u:***@h:1/0'"), "{printed}");
    let settings = Settings::read(&given).unwrap();
    let shown = format!("{printed} {given:?} {settings:?} {:?}", settings.kept());
    assert!(!shown.contains("secret"), "{shown}");
    let said = read("redis://u:secret@h:1/0\n").unwrap_err();
    assert!(!format!("{said} {said:?}").contains("secret"), "{said}");
}
