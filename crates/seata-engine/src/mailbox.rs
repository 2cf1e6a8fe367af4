//! What is asked of one transaction's driver, in the order of arrival.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seata_core::{
    AttemptId, BranchDefinition, BranchId, BranchIndex, Definition, Operation, Reason, Transaction,
};
use seata_store::{Revision, Stored};
use tokio::sync::{Notify, oneshot};

use crate::content;
use crate::error::EngineError;
use crate::lease::Lease;
use crate::registry::Origin;
use crate::snapshot::{Completion, Order, Snapshot};
use crate::weight::Weight;

/// Whether a new transaction is submitted in the same append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Submission {
    Now,
    Later,
}

/// What a client or an operator asks.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Create {
        definition: Arc<Definition>,
        submission: Submission,
    },
    AddBranch(Arc<BranchDefinition>),
    Submit,
    Abort {
        reason: Reason,
    },
    Order(Order),
    Try(Arc<BranchDefinition>),
    ConfirmBranch(BranchId),
    CancelBranch(BranchId),
    Complete(Completion),
}

/// A question and where its answer goes.
pub(crate) struct Ask {
    pub(crate) asked: Asked,
    pub(crate) reply: oneshot::Sender<Result<Snapshot, EngineError>>,
    /// The boot time before it came: no older state answers it.
    pub(crate) asked_at: Duration,
    /// One of the driver's places for questions, until it is answered.
    place: Option<Place>,
}

impl Ask {
    pub(crate) const fn new(
        asked: Asked,
        reply: oneshot::Sender<Result<Snapshot, EngineError>>,
        asked_at: Duration,
    ) -> Self {
        let place = None;
        Self {
            asked,
            reply,
            asked_at,
            place,
        }
    }
}

/// A place that is taken as long as it lives: there are as many as there are clones.
type Place = Arc<()>;

/// What a driver is told.
pub(crate) enum Message {
    Ask(Ask),
    /// The store leased the transaction out to this process. `sent_at`: the boot time before the claim was sent.
    Claimed {
        stored: Box<Stored>,
        sent_at: Duration,
    },
    /// Somebody appended to it, or its lease was found lost.
    Look,
    /// The process stops at this boot time.
    Stop {
        at: Duration,
    },
}

impl Message {
    const fn is_question(&self) -> bool {
        match self {
            Self::Ask(_) => true,
            Self::Claimed { .. } | Self::Look | Self::Stop { .. } => false,
        }
    }

    /// Answers what a driver would be made for by it.
    pub(crate) const fn origin(&self) -> Origin {
        match self {
            Self::Ask(_) => Origin::Asked,
            Self::Claimed { .. } | Self::Look | Self::Stop { .. } => Origin::Due,
        }
    }

    fn take_place(&mut self, places: &Place) {
        match self {
            Self::Ask(ask) => ask.place = Some(Arc::clone(places)),
            Self::Claimed { .. } | Self::Look | Self::Stop { .. } => {}
        }
    }

    /// Answers how many bytes a driver will hold that is made for it. What it must load first is weighed then.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Ask(Ask {
                asked: Asked::Create { definition, .. },
                ..
            }) => content::of_definition(definition),
            Self::Claimed { stored, .. } => {
                let chunks = stored.chunks.iter().map(|chunk| chunk.len());
                content::TRANSACTION_BYTES + chunks.sum::<usize>()
            }
            Self::Ask(Ask {
                asked:
                    Asked::AddBranch(_)
                    | Asked::Submit
                    | Asked::Abort { .. }
                    | Asked::Order(_)
                    | Asked::Try(_)
                    | Asked::ConfirmBranch(_)
                    | Asked::CancelBranch(_)
                    | Asked::Complete(_),
                ..
            })
            | Self::Look
            | Self::Stop { .. } => content::TRANSACTION_BYTES,
        }
    }
}

/// Whether a message found its driver.
pub(crate) enum Delivery {
    Taken,
    /// The driver has ended: find or make another.
    Closed(Message),
    /// Too many questions wait for it.
    Crowded,
}

enum Mail {
    Open(Vec<Message>),
    Closed,
}

/// A call in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flight {
    pub(crate) branch: BranchIndex,
    pub(crate) operation: Operation,
    pub(crate) attempt: AttemptId,
}

/// One driver as others know it.
pub(crate) struct Handle {
    mailbox: Mutex<Mail>,
    mailed: Notify,
    places: Place,
    questions_max: usize,
    pub(crate) origin: Origin,
    pub(crate) lease: Lease,
    /// What the driver holds in memory.
    pub(crate) weight: Weight,
    pub(crate) flights: Mutex<Vec<Flight>>,
    revision: AtomicU64,
}

impl Handle {
    pub(crate) fn new(mut first: Message, weight: Weight, questions_max: usize) -> Self {
        let places = Place::default();
        let origin = first.origin();
        first.take_place(&places);
        Self {
            mailbox: Mutex::new(Mail::Open(vec![first])),
            mailed: Notify::new(),
            places,
            questions_max,
            origin,
            lease: Lease::default(),
            weight,
            flights: Mutex::new(Vec::new()),
            revision: AtomicU64::new(0),
        }
    }

    pub(crate) fn send(&self, mut message: Message) -> Delivery {
        let mut mailbox = self.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *mailbox {
            Mail::Closed => Delivery::Closed(message),
            Mail::Open(_) if message.is_question() && self.questions() >= self.questions_max => {
                Delivery::Crowded
            }
            Mail::Open(messages) => {
                message.take_place(&self.places);
                messages.push(message);
                drop(mailbox);
                self.mailed.notify_one();
                Delivery::Taken
            }
        }
    }

    /// Answers how many questions wait for an answer.
    fn questions(&self) -> usize {
        Arc::strong_count(&self.places) - 1
    }

    /// Takes all that has arrived; waits for something.
    pub(crate) async fn receive(&self) -> Vec<Message> {
        loop {
            let messages = self.take();
            if !messages.is_empty() {
                return messages;
            }
            self.mailed.notified().await;
        }
    }

    fn take(&self) -> Vec<Message> {
        match &mut *self.mailbox.lock().unwrap_or_else(PoisonError::into_inner) {
            Mail::Open(messages) => std::mem::take(messages),
            Mail::Closed => Vec::new(),
        }
    }

    /// Closes an empty mailbox. Answers whether it is closed now.
    pub(crate) fn close(&self) -> bool {
        let mut mailbox = self.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        match &*mailbox {
            Mail::Open(messages) if !messages.is_empty() => false,
            Mail::Open(_) | Mail::Closed => {
                *mailbox = Mail::Closed;
                true
            }
        }
    }

    /// Closes the mailbox of a driver that broke, with whatever is in it.
    pub(crate) fn break_off(&self) {
        *self.mailbox.lock().unwrap_or_else(PoisonError::into_inner) = Mail::Closed;
    }

    /// Notes which revision the driver knows.
    pub(crate) fn saw(&self, revision: Revision) {
        self.revision.store(revision.0, Ordering::Relaxed);
    }

    /// Answers which revision the driver knows.
    pub(crate) fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Relaxed))
    }

    /// Answers whether the driver knows a later revision.
    pub(crate) fn knows_newer(&self, revision: Revision) -> bool {
        self.revision.load(Ordering::Relaxed) > revision.0
    }

    /// Answers whether this revision is news for the driver.
    pub(crate) fn is_news(&self, revision: Revision) -> bool {
        self.revision.load(Ordering::Relaxed) < revision.0
    }

    fn flights(&self) -> Vec<Flight> {
        self.flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes in a state that was read which calls are in flight from here.
    pub(crate) fn note_flights(&self, txn: &mut Transaction) {
        for flight in self.flights() {
            txn.call_begun(flight.branch, flight.operation, flight.attempt);
        }
    }
}
