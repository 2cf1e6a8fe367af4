//! The endpoints of a branch: which ones it must have depends on how it comes into its transaction.

use seata_core::{Endpoint, EndpointError, Endpoints, Mode, Scheme};

use super::missing;
use crate::content::{Content, Part};
use crate::path::Path;
use crate::problem::Problem;
use crate::request::BranchRequest;
use crate::rules::{LocalEndpoints, Rules};

/// How a branch comes into its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joining {
    /// As a part of a saga.
    Saga,
    /// As a part of a TCC whose try the initiator calls itself.
    Registered,
    /// As a part of a TCC whose try the coordinator calls.
    Tried,
}

impl Joining {
    /// Answers how a branch joins that stands in the list of a transaction.
    pub(crate) const fn listed(mode: Mode) -> Self {
        match mode {
            Mode::Saga => Self::Saga,
            Mode::Tcc => Self::Registered,
        }
    }
}

/// Reads the endpoints, and refuses those of the other mode.
pub(super) fn endpoints(
    path: Path<'_>,
    asked: &BranchRequest<'_>,
    joining: Joining,
    rules: &Rules,
    content: &mut Content,
) -> Result<Endpoints, Problem> {
    let mut reader = Reader {
        path,
        asked,
        rules,
        content,
    };
    match joining {
        Joining::Saga => reader.saga(),
        Joining::Registered => reader.tcc(Part::Action).and_then(Given::registered),
        Joining::Tried => reader.tcc(Part::Try).and_then(Given::tried),
    }
}

struct Reader<'a> {
    path: Path<'a>,
    asked: &'a BranchRequest<'a>,
    rules: &'a Rules,
    content: &'a mut Content,
}

/// The endpoints of a branch of a TCC, as given.
struct Given<'a> {
    path: Path<'a>,
    action: Option<Endpoint>,
    confirm: Option<Endpoint>,
    cancel: Option<Endpoint>,
}

impl<'a> Reader<'a> {
    fn saga(&mut self) -> Result<Endpoints, Problem> {
        let tcc = [
            ("confirm", self.asked.confirm.is_some()),
            ("cancel", self.asked.cancel.is_some()),
        ];
        self.refuse(tcc, "belongs to branches of a TCC: leave it out, or give mode \"tcc\", /api/branch/register or /api/branch/try")?;
        let action = self.read("action", self.asked.action.as_deref(), Part::Action)?;
        let compensation = self.asked.compensation.as_deref();
        Ok(Endpoints::Saga {
            action: action.ok_or_else(|| missing(self.path.key("action")))?,
            compensation: self.read("compensation", compensation, Part::Compensation)?,
        })
    }

    fn tcc(&mut self, action: Part) -> Result<Given<'a>, Problem> {
        let saga = [
            ("compensation", self.asked.compensation.is_some()),
            ("after", !self.asked.after.is_empty()),
        ];
        self.refuse(
            saga,
            "belongs to branches of a saga: a branch of a TCC has `confirm` and `cancel`, and no order",
        )?;
        Ok(Given {
            path: self.path,
            action: self.read("action", self.asked.action.as_deref(), action)?,
            confirm: self.read("confirm", self.asked.confirm.as_deref(), Part::Confirm)?,
            cancel: self.read("cancel", self.asked.cancel.as_deref(), Part::Cancel)?,
        })
    }

    fn refuse(&self, given: [(&'static str, bool); 2], why: &str) -> Result<(), Problem> {
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(Problem::field(self.path.key(name), why)),
            None => Ok(()),
        }
    }

    fn read(
        &mut self,
        name: &'static str,
        text: Option<&str>,
        part: Part,
    ) -> Result<Option<Endpoint>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let endpoint = endpoint(self.path.key(name), text, self.rules)?;
        self.content.put(part, endpoint.as_str().as_bytes());
        Ok(Some(endpoint))
    }
}

impl Given<'_> {
    /// Keeps no `try`: `action` only stands for what else is not given.
    fn registered(self) -> Result<Endpoints, Problem> {
        let at = |name: &'static str| {
            let why = "is missing: give it, or `action` for whatever is not given";
            Problem::field(self.path.key(name), why)
        };
        let or_action = |given: Option<Endpoint>| given.or_else(|| self.action.clone());
        Ok(Endpoints::Tcc {
            try_: None,
            confirm: or_action(self.confirm).ok_or_else(|| at("confirm"))?,
            cancel: or_action(self.cancel).ok_or_else(|| at("cancel"))?,
        })
    }

    fn tried(self) -> Result<Endpoints, Problem> {
        let action = self.action;
        let action = action.ok_or_else(|| missing(self.path.key("action")))?;
        Ok(Endpoints::Tcc {
            confirm: self.confirm.unwrap_or_else(|| action.clone()),
            cancel: self.cancel.unwrap_or_else(|| action.clone()),
            try_: Some(action),
        })
    }
}

fn endpoint(path: Path<'_>, text: &str, rules: &Rules) -> Result<Endpoint, Problem> {
    let endpoint = Endpoint::parse(text).map_err(|error| no_endpoint(path, &error, rules.local))?;
    match (endpoint.scheme(), rules.local) {
        (Scheme::Local, LocalEndpoints::Refused) => Err(Problem::field(
            path,
            "local:// exists only in a program that embeds the coordinator: give an http://, https://, grpc:// or grpcs:// URL",
        )),
        (Scheme::Local, LocalEndpoints::Allowed)
        | (Scheme::Http | Scheme::Https | Scheme::Grpc | Scheme::Grpcs, _) => Ok(endpoint),
    }
}

/// Offers `local://` only where there may be handlers.
fn no_endpoint(path: Path<'_>, error: &EndpointError, local: LocalEndpoints) -> Problem {
    match (error, local) {
        (EndpointError::Scheme(_), LocalEndpoints::Allowed) => {
            let more = "or with local:// for a handler of this program";
            Problem::field(path, format_args!("{error}, {more}"))
        }
        (EndpointError::Scheme(_), LocalEndpoints::Refused)
        | (
            EndpointError::Empty
            | EndpointError::Capitals { .. }
            | EndpointError::Host(_)
            | EndpointError::HostName(_)
            | EndpointError::Port(_)
            | EndpointError::Method(_)
            | EndpointError::Character { .. }
            | EndpointError::Credentials
            | EndpointError::Fragment(_)
            | EndpointError::TooLong(_),
            _,
        ) => Problem::field(path, error),
    }
}
