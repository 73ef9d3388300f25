//! The steps of which operations are made, and how they talk with the machine that runs them.

use std::sync::Arc;

use super::super::Cx;
use super::super::repl::BulkPart;
use super::super::server::command::request;
use super::tool::Tool;
use super::{backup, call, check, create, fix, load, members, move_slot, rebalance, repair, reshard};
use crate::base::Dur;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// What happened to a step.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// It is its turn: at first, or again after the steps that it wanted done first.
    Go,
    Reply(Value),
    /// A part of the data that SYNC asked for.
    Bulk(Arc<BulkPart>),
    /// The connection is gone, so there is no reply.
    Lost,
    Connected,
    Refused(&'static str),
    Woken,
    /// A step that it wanted done has failed.
    Failed,
}

/// What a step wants.
#[derive(Clone, Debug)]
pub(super) enum Flow {
    /// A command to a node; the step hears the reply.
    Ask(usize, Command),
    /// For what a node sends further.
    Listen(usize),
    Connect(usize),
    Sleep(Dur),
    /// These steps first, then this one again.
    Again(Vec<Step>),
    /// These steps in its place.
    Then(Vec<Step>),
    Done,
    Fail,
    Exit(u8),
}

impl Flow {
    /// A command whose words hold no spaces.
    pub fn ask(node: usize, words: impl AsRef<str>) -> Flow {
        let words: Vec<&str> = words.as_ref().split(' ').collect();
        Flow::Ask(node, request(&words))
    }
}

macro_rules! steps {
    ($($name:ident($kind:ty),)*) => {
        /// One step.
        #[derive(Clone, Debug)]
        pub(super) enum Step { $($name($kind),)* }

        impl Step {
            pub fn run(&mut self, t: &mut Tool, cx: &mut Cx<'_>, event: Event) -> Flow {
                match self { $(Step::$name(s) => s.run(t, cx, event),)* }
            }
        }
        $(impl From<$kind> for Step {
            fn from(step: $kind) -> Step { Step::$name(step) }
        })*
    };
}

steps! {
    Load(load::Load),
    Inspect(load::Inspect),
    Consistent(load::Consistent),
    Join(load::Join),
    Check(check::Check),
    ShowInfo(check::ShowInfo),
    SetSlot(move_slot::SetSlot),
    DelSlot(move_slot::DelSlot),
    SetOwner(move_slot::SetOwner),
    OwnerOf(move_slot::OwnerOf),
    MostKeys(move_slot::MostKeys),
    MigrateKeys(move_slot::MigrateKeys),
    MoveSlot(move_slot::MoveSlot),
    FixOpen(fix::FixOpen),
    FixCoverage(repair::FixCoverage),
    FixOwners(repair::FixOwners),
    Create(create::Create),
    AddNode(members::AddNode),
    DelNode(members::DelNode),
    Reshard(reshard::Reshard),
    Rebalance(rebalance::Rebalance),
    Backup(backup::Backup),
    Call(call::Call),
    SetTimeout(call::SetTimeout),
}

impl Step {
    /// Whether it wants to hear of the failure of a step that it wanted done.
    pub fn goes_on_after_a_failure(&self) -> bool {
        use Step::{AddNode, Check, FixOwners, Rebalance, Reshard};
        matches!(self, Check(_) | FixOwners(_) | Reshard(_) | Rebalance(_) | AddNode(_))
    }
}
