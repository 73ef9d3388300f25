//! redis-cli --cluster as a simulated client: it sends real commands and reads real replies.

mod create;

pub use create::{Create, master_range};

use super::{Addr, Cx, Input};

/// An admin tool at work.
#[derive(Clone, Debug)]
pub enum Admin {
    Create(Create),
}

impl Admin {
    /// `redis-cli --cluster create nodes... --cluster-replicas replicas --cluster-yes`
    pub fn create(nodes: Vec<Addr>, replicas: u32) -> Admin {
        Admin::Create(Create::new(nodes, replicas))
    }
    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        match self {
            Admin::Create(c) => c.handle(cx, input),
        }
    }
    pub fn is_done(&self) -> bool {
        match self {
            Admin::Create(c) => c.is_done(),
        }
    }
}
