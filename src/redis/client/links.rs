//! The connections of a client: pools or shared ones, what was sent on each and not answered yet, and who waits
//! for one to open.

use std::collections::VecDeque;

use super::topology::Node;
use crate::base::Bytes;
use crate::redis::repl::stream::Command;
use crate::redis::{Cx, Message};
use crate::trace::ConnId;

/// What the next answer on a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The command in this lane, if the lane has still this serial number.
    Command { lane: u32, serial: u32 },
    /// ASKING, READONLY.
    Nothing,
    /// CLUSTER SLOTS.
    Map,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Link {
    pub node: Node,
    pub conn: ConnId,
    pub up: bool,
    /// Many commands use it at once, and it is opened again when lost.
    pub shared: bool,
    /// Attempts to open it in a row.
    pub attempts: u32,
    pub expected: VecDeque<Expected>,
    /// Lanes that wait for it to open.
    pub waiting: Vec<u32>,
}

/// All connections of a client.
#[derive(Clone, Debug, Default)]
pub struct Links {
    links: Vec<Link>,
    free: Vec<u32>,
    /// By node: connections nobody uses, and the one that all share.
    pools: Vec<(Vec<u32>, Option<u32>)>,
}

impl Links {
    fn pool(&mut self, node: Node) -> &mut (Vec<u32>, Option<u32>) {
        let i = usize::from(node);
        if self.pools.len() <= i {
            self.pools.resize_with(i + 1, Default::default);
        }
        &mut self.pools[i]
    }

    pub fn get(&self, link: u32) -> &Link {
        &self.links[link as usize]
    }
    pub fn get_mut(&mut self, link: u32) -> &mut Link {
        &mut self.links[link as usize]
    }
    pub fn has(&self, link: u32) -> bool {
        (link as usize) < self.links.len()
    }
    pub fn is_up(&self, link: u32) -> bool {
        self.get(link).up
    }

    /// A connection to the node that is there already.
    pub fn take(&mut self, node: Node, shared: bool) -> Option<u32> {
        let pool = self.pool(node);
        if shared { pool.1 } else { pool.0.pop() }
    }

    /// Room for a connection that is about to be opened.
    pub fn add(&mut self, node: Node, shared: bool) -> u32 {
        let fresh = Link {
            node,
            conn: ConnId::NONE,
            up: false,
            shared,
            attempts: 0,
            expected: VecDeque::new(),
            waiting: Vec::new(),
        };
        let link = match self.free.pop() {
            Some(i) => {
                self.links[i as usize] = fresh;
                i
            }
            None => {
                self.links.push(fresh);
                self.links.len() as u32 - 1
            }
        };
        if shared {
            self.pool(node).1 = Some(link);
        }
        link
    }

    pub fn wait(&mut self, link: u32, lane: u32) {
        self.get_mut(link).waiting.push(lane);
    }

    /// A command has its answer: the connection goes back to its pool.
    pub fn give_back(&mut self, link: u32) {
        let l = self.get(link);
        if !l.shared && l.up {
            let node = l.node;
            self.pool(node).0.push(link);
        }
    }

    /// The connection is gone for good.
    pub fn remove(&mut self, link: u32) -> Link {
        let node = self.get(link).node;
        let pool = self.pool(node);
        pool.0.retain(|&l| l != link);
        if pool.1 == Some(link) {
            pool.1 = None;
        }
        self.free.push(link);
        let l = self.get_mut(link);
        l.up = false;
        let gone = l.clone();
        l.conn = ConnId::NONE;
        l.expected.clear();
        l.waiting.clear();
        gone
    }

    pub fn command(&mut self, cx: &mut Cx<'_>, link: u32, message: Message, lane: u32, serial: u32) {
        self.send(cx, link, message, Expected::Command { lane, serial });
    }
    pub fn ask(&mut self, cx: &mut Cx<'_>, link: u32) {
        self.words(cx, link, &["ASKING"], Expected::Nothing);
    }
    pub fn words(&mut self, cx: &mut Cx<'_>, link: u32, words: &[&str], expected: Expected) {
        let words: Command = words.iter().map(|&w| Bytes::from(w)).collect();
        self.send(cx, link, Message::Request(words), expected);
    }
    fn send(&mut self, cx: &mut Cx<'_>, link: u32, message: Message, expected: Expected) {
        let l = self.get_mut(link);
        l.expected.push_back(expected);
        cx.send(l.conn, message);
    }
}
