//! Connections that others opened to this sentinel: people, client libraries, other sentinels.

use std::borrow::Cow;

use super::Sentinel;
use crate::redis::{Addr, Cx};
use crate::resp::Protocol;
use crate::trace::ConnId;

/// One connection.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: u64,
    pub peer: Addr,
    pub name: String,
    pub protocol: Protocol,
    /// unix seconds
    pub since: u64,
    pub last_io: u64,
    pub last_command: Option<Cow<'static, str>>,
    pub authenticated: bool,
}

impl Sentinel {
    pub(super) fn accepted(&mut self, cx: &mut Cx<'_>, conn: ConnId, peer: Addr) {
        let now = cx.now.unix();
        let client = Client {
            id: self.next_client,
            peer,
            name: String::new(),
            protocol: Protocol::Resp2,
            since: now,
            last_io: now,
            last_command: None,
            authenticated: self.conf.requirepass.is_empty(),
        };
        self.next_client += 1;
        self.connections += 1;
        cx.tag(conn, 0);
        self.clients.insert(conn, client);
    }

    pub(super) fn client_gone(&mut self, conn: ConnId) {
        self.clients.remove(&conn);
        self.pubsub.client_gone(conn);
    }
}
