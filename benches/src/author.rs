//! The words of each coordinator: the requests of one transaction, written out, and the calls that it must make of them.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use seata_proto::v1::{
    BranchDefinition, Mode as ModeOnWire, Payload, SubmitRequest, TransactionDefinition,
};
use serde_json::{Value, json};

use crate::calls::Operation;
use crate::case::{Answer, Begun, Mode, Order, Shape};
use crate::coordinator::Coordinator;
use crate::script::{End, GID_BYTES, GID_MARK, Step};
use crate::wire::{PREFIX_BYTES, Wire, put_prefix};

/// Writes the requests of one transaction.
pub(crate) struct Author<'a> {
    pub(crate) who: Coordinator,
    pub(crate) shape: &'a Shape,
    /// Where all participants are.
    pub(crate) stub: SocketAddr,
    pub(crate) end: End,
}

impl Author<'_> {
    pub(crate) fn http(&self) -> Result<Vec<Step>> {
        let gid = GID_MARK;
        let mut submission = json!({ "gid": gid });
        if self.shape.answer == Answer::Ended {
            submission["wait"] = true.into();
        }
        let mut steps = Vec::new();
        match (self.shape.mode, self.shape.begun) {
            (Mode::Saga, Begun::AtOnce) => {
                submission["mode"] = "saga".into();
                submission["branches"] = self.ids().map(|id| self.saga_branch(id)).collect();
                if let Some(secs) = self.shape.asked_every_secs {
                    submission["options"] = json!({ "retry_interval_secs": secs, "retry_interval_max_secs": secs.max(1) });
                }
            }
            (Mode::Saga, Begun::StepByStep) => {
                steps.push(Step::json(
                    "/api/start",
                    &json!({ "gid": gid, "mode": "saga" }),
                )?);
                for id in self.ids() {
                    let mut branch = self.saga_branch(id);
                    branch["gid"] = gid.into();
                    steps.push(Step::json("/api/branch/add", &branch)?);
                }
                self.let_null_call(&mut submission, self.ids().map(|id| self.saga_branch(id)));
            }
            (Mode::Tcc, Begun::AtOnce | Begun::StepByStep) => {
                steps.push(Step::json(
                    "/api/start",
                    &json!({ "gid": gid, "mode": "tcc" }),
                )?);
                for id in self.ids() {
                    let mut branch = self.tcc_branch(id);
                    branch["gid"] = gid.into();
                    self.let_null_call(&mut branch, [self.tcc_call(id, "")].into_iter());
                    steps.push(Step::json("/api/branch/try", &branch)?);
                }
                let confirmed = self.ids().map(|id| self.tcc_call(id, "_confirm"));
                self.let_null_call(&mut submission, confirmed);
            }
        }
        steps.push(Step::json("/api/submit", &submission)?);
        Ok(steps)
    }

    /// The null coordinator keeps nothing: whom it is to call stands in the request that makes it call.
    fn let_null_call(&self, request: &mut Value, branches: impl Iterator<Item = Value>) {
        if self.who == Coordinator::Null {
            request["branches"] = branches.collect();
        }
    }

    pub(crate) fn dtmrs(&self) -> Result<Vec<Step>> {
        if !self.who.has(self.shape) {
            bail!("dtmrs isn't measured with such transactions");
        }
        let step = |id: u32| {
            json!({
                "action": self.action(id),
                "compensate": self.endpoint(id, "_undo"),
                "payload": self.payload(id).to_string(),
            })
        };
        let steps: Vec<Value> = self.ids().map(step).collect();
        let body = json!({ "gid": GID_MARK, "trans_type": "saga", "steps": steps });
        Ok(vec![Step::json("/api/dtmsvr/submit", &body)?])
    }

    /// A gid is the first field: what stands behind it is the same for all.
    pub(crate) fn grpc(&self) -> Result<Vec<Step>> {
        const GID_FIELD: u8 = 1 << 3 | 2;
        let shape = self.shape;
        if (shape.mode, shape.begun, shape.order) != (Mode::Saga, Begun::AtOnce, Order::Any) {
            bail!("over gRPC only a whole saga is measured whose branches are in no order");
        }
        let request = SubmitRequest {
            gid: String::new(),
            transaction: Some(TransactionDefinition {
                mode: ModeOnWire::Saga.into(),
                branches: self.ids().map(|id| self.grpc_branch(id)).collect(),
                ..TransactionDefinition::default()
            }),
            wait: (self.shape.answer == Answer::Ended).then_some(prost_types::Duration {
                seconds: 30,
                nanos: 0,
            }),
        };
        let after: Bytes = request.encode_to_vec().into();
        let mut before = BytesMut::with_capacity(PREFIX_BYTES + 2);
        put_prefix(&mut before, 2 + GID_BYTES + after.len());
        before.put_slice(&[GID_FIELD, u8::try_from(GID_BYTES)?]);
        let path = "/seata.v1.TransactionService/Submit";
        Ok(vec![Step::new(path, before.freeze(), after)])
    }

    fn saga_branch(&self, id: u32) -> Value {
        let mut branch = json!({
            "branch_id": name(id),
            "action": self.action(id),
            "compensation": self.endpoint(id, "_undo"),
            "payload": self.payload(id),
        });
        if self.shape.order == Order::Listed && id > 1 {
            branch["after"] = json!([name(id - 1)]);
        }
        branch
    }

    fn tcc_branch(&self, id: u32) -> Value {
        json!({
            "branch_id": name(id),
            "action": self.action(id),
            "confirm": self.endpoint(id, "_confirm"),
            "cancel": self.endpoint(id, "_cancel"),
            "payload": self.payload(id),
        })
    }

    /// What the null coordinator is told of a branch: whom to call.
    fn tcc_call(&self, id: u32, what: &str) -> Value {
        json!({ "action": self.endpoint(id, what), "payload": self.payload(id) })
    }

    fn grpc_branch(&self, id: u32) -> BranchDefinition {
        BranchDefinition {
            branch_id: name(id),
            action: self.action(id),
            compensation: self.endpoint(id, "_undo"),
            payload: Some(Payload {
                data: self.payload(id).to_string().into_bytes().into(),
                content_type: "application/json".to_owned(),
            }),
            ..BranchDefinition::default()
        }
    }

    fn ids(&self) -> impl Iterator<Item = u32> + use<> {
        1..=self.shape.branches
    }

    fn action(&self, id: u32) -> String {
        if self.end == End::Aborted && id == self.shape.branches {
            self.endpoint(id, "_refuse")
        } else {
            self.endpoint(id, "")
        }
    }

    /// The stub does what the last part of the path says.
    fn endpoint(&self, id: u32, what: &str) -> String {
        let stub = self.stub;
        let delay = match self.shape.delay_ms {
            0 => String::new(),
            ms => format!("_{ms}ms"),
        };
        match self.shape.wire {
            Wire::Http => format!("http://{stub}/b{id}{what}{delay}"),
            Wire::Grpc => format!("grpc://{stub}/bench.Participant/b{id}{what}{delay}"),
        }
    }

    fn payload(&self, id: u32) -> Value {
        let mut payload = json!({
            "account": format!("DE{id:020}"),
            "amount_cents": 4200,
            "currency": "EUR",
            "note": "",
        });
        let missing = self
            .shape
            .payload_bytes
            .saturating_sub(payload.to_string().len());
        payload["note"] = "x".repeat(missing).into();
        payload
    }

    pub(crate) fn calls(&self) -> Vec<(String, Operation)> {
        let all = |operation| self.ids().map(move |id| (name(id), operation));
        match (self.shape.mode, self.end) {
            (Mode::Saga, End::Committed) => all(Operation::Action).collect(),
            (Mode::Saga, End::Aborted) => {
                let undone = |id| match self.who {
                    // What refused did nothing.
                    Coordinator::Null | Coordinator::Server => id < self.shape.branches,
                    Coordinator::Dtmrs => true,
                };
                let undone = self.ids().filter(|id| undone(*id));
                let undone = undone.map(|id| (name(id), Operation::Compensation));
                all(Operation::Action).chain(undone).collect()
            }
            (Mode::Tcc, End::Committed) => {
                all(Operation::Try).chain(all(Operation::Confirm)).collect()
            }
            (Mode::Tcc, End::Aborted) => {
                all(Operation::Try).chain(all(Operation::Cancel)).collect()
            }
        }
    }
}

/// A branch has the name that dtmrs gives it.
fn name(id: u32) -> String {
    format!("{id:02}")
}
