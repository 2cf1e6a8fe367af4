//! Shares out what the process may open, so that none of its parts can starve another (and the port stays reachable).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seata_config::Settings;

/// The most connections of HTTP clients at once, however many files may be open.
const CONNECTIONS_MAX: usize = 10_000;

/// The most connections of gRPC clients at once. One connection takes many requests.
const GRPC_CONNECTIONS_MAX: usize = 2_000;

/// Connections that the HTTP server takes beyond its bound, only to answer 429.
const TURNED_AWAY: usize = 16;

/// Files of the store, the log, the runtime: a quarter of what may be open, within these bounds.
const OWN_MIN: usize = 32;
const OWN_MAX: usize = 1_024;

/// How many of each there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) connections_max: usize,
    pub(crate) grpc_connections_max: usize,
    pub(crate) calls_in_flight_max: usize,
    pub(crate) calls_per_destination_max: usize,
    /// Files that the store keeps open to read them. As many are left for its logs, for what it merges, and for the rest
    /// of the process.
    pub(crate) store_files_max: usize,
}

/// Lets the process open as many files as the system allows it, and answers how many those are.
pub(crate) fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    current.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX))
}

impl Shares {
    /// Shares out: a third of what is left for connections of clients (a quarter of it for gRPC), a third for calls,
    /// and a third for connections to participants that are kept for the next call.
    pub(crate) fn of(settings: &Settings, open_max: usize) -> Self {
        let files = (open_max / 4).clamp(OWN_MIN, OWN_MAX);
        let own = files + store_connections(settings);
        let share = open_max.saturating_sub(own) / 3;
        let calls = settings.calls_in_flight_max.min(share.max(1));
        let grpc = share / 4;
        let http = (share - grpc).saturating_sub(TURNED_AWAY);
        Self {
            connections_max: http.clamp(1, CONNECTIONS_MAX),
            grpc_connections_max: grpc.clamp(1, GRPC_CONNECTIONS_MAX),
            calls_in_flight_max: calls,
            calls_per_destination_max: settings.calls_in_flight_per_destination.min(calls),
            store_files_max: files / 2,
        }
    }

    /// Says what there may be; aloud if fewer calls are possible than were asked for.
    pub(crate) fn tell(self, settings: &Settings, open_max: usize) {
        tracing::info!(
            open_max,
            connections_max = self.connections_max,
            grpc_connections_max = self.grpc_connections_max,
            calls_in_flight_max = self.calls_in_flight_max,
            "files and sockets that may be open are shared out"
        );
        if self.calls_in_flight_max < settings.calls_in_flight_max {
            tracing::warn!(
                open_max,
                calls_in_flight_max = self.calls_in_flight_max,
                connections_max = self.connections_max,
                "few files may be open: bounds are lower than configured; raise the limit (ulimit -n)"
            );
        }
    }
}

/// Answers how many connections the store may open in all.
fn store_connections(settings: &Settings) -> usize {
    let each = usize::try_from(settings.store_connections_max).unwrap_or(usize::MAX);
    each.saturating_mul(settings.addresses_len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use seata_config::Given;

    use super::*;

    #[test]
    fn all_shares_together_fit_under_the_limit() {
        let settings = Settings::read(&Given::defaults()).unwrap();
        for open_max in [128, 256, 1_024, 4_096, 65_536] {
            let shares = Shares::of(&settings, open_max);
            let own = (open_max / 4).clamp(OWN_MIN, OWN_MAX);
            let connections = shares.connections_max + shares.grpc_connections_max + TURNED_AWAY;
            assert!(own + connections + 2 * shares.calls_in_flight_max <= open_max);
            assert!(shares.calls_per_destination_max <= shares.calls_in_flight_max);
        }
    }

    #[test]
    fn connections_of_the_store_are_counted() {
        let given = Given::defaults()
            .with("store", "postgres")
            .with("postgres_dsn", "postgres://a/s,postgres://b/s")
            .with("store_connections_max", "100");
        let embedded = Settings::read(&Given::defaults()).unwrap();
        let spread = Settings::read(&given).unwrap();
        let calls = |settings| Shares::of(settings, 4_096).calls_in_flight_max;
        assert_eq!(calls(&embedded), 1_024);
        assert_eq!(calls(&spread), (4_096 - 1_024 - 200) / 3);
    }

    #[test]
    fn many_files_leave_what_is_configured_and_almost_none_still_serve() {
        let settings = Settings::read(&Given::defaults()).unwrap();
        let shares = Shares::of(&settings, usize::MAX);
        assert_eq!(shares.calls_in_flight_max, 2_000);
        assert_eq!(shares.calls_per_destination_max, 256);
        assert_eq!(shares.connections_max, CONNECTIONS_MAX);
        assert_eq!(shares.grpc_connections_max, GRPC_CONNECTIONS_MAX);
        let shares = Shares::of(&settings, 3);
        assert_eq!((shares.connections_max, shares.calls_in_flight_max), (1, 1));
        assert_eq!(shares.grpc_connections_max, 1);
    }
}
