//! What waits for a process that did not read, and the order in which its event loop takes it.
//!
//! A process that stood still finds many sockets ready at once. Its event loop then goes round: in each round
//! every ready socket is read once, in the order in which the sockets became ready. One read takes all packets
//! of a bus link, but only a buffer of what a client sent. A connection that waits to be accepted is accepted
//! in the first round and read in the next. So a process may obey many requests of one client before it hears
//! what others have to say.

use std::collections::{BTreeMap, VecDeque};

use crate::redis::{Input, Message};
use crate::trace::{ConnId, FactId};

/// What the first read of a client's socket asks for. redis: server.h PROTO_IOBUF_LEN @7.0.15
const FIRST_READ: u32 = 16 * 1024;
/// What a later read asks for together with the beginning of a request that is in the buffer already: the
/// allocator rounds the buffer for the first read up to 20 KiB, and its head takes 6 bytes of it.
/// redis: sds.c sdsMakeRoomForNonGreedy @7.0.15; jemalloc: size classes
const BUFFER: u32 = 20 * 1024 - 6;

pub type Inbox = VecDeque<(Input, FactId)>;

/// The connection that an input came on.
pub fn conn_of(input: &Input) -> Option<ConnId> {
    match input {
        Input::Message { conn, .. }
        | Input::Closed { conn, .. }
        | Input::Connected { conn, .. }
        | Input::ConnectFailed { conn, .. } => Some(*conn),
        _ => None,
    }
}

/// The first input, or the first on the one connection that the process waits for.
pub fn next_input(inbox: &mut Inbox, waits_for: Option<ConnId>) -> Option<(Input, FactId)> {
    match waits_for {
        None => inbox.pop_front(),
        Some(_) => {
            let at = inbox.iter().position(|(input, _)| conn_of(input) == waits_for)?;
            inbox.remove(at)
        }
    }
}

/// A socket with something to read.
#[derive(Clone, Copy)]
struct Socket {
    /// Its place among those that are ready in the same round.
    place: (bool, usize),
    /// The round of its latest read.
    round: u32,
    /// Bytes that clients sent on it, and how many of them the reads so far take.
    sent: u32,
    taken: u32,
}

impl Socket {
    /// The round in which the end of a request of so many bytes is read.
    fn read(&mut self, bytes: u32) -> u32 {
        let start = self.sent;
        self.sent = self.sent.saturating_add(bytes);
        if self.taken == 0 {
            self.taken = FIRST_READ;
        }
        while self.taken < self.sent {
            let kept = self.taken.saturating_sub(start);
            // A buffer that has no room for another 16 KiB grows to twice what is needed.
            let room = if kept + FIRST_READ <= BUFFER { BUFFER } else { 2 * (kept + FIRST_READ) };
            self.taken = self.taken.saturating_add(room - kept);
            self.round += 1;
        }
        self.round
    }
}

/// Puts what waited in the order in which a process reads it.
///
/// redis: ae.c aeProcessEvents, networking.c readQueryFromClient, cluster.c clusterReadHandler,
/// clusterAcceptHandler @7.0.15; linux: ep_send_events
///
/// deviates: the end of the turn comes once, after all that waited; Redis has one after each round. The buffer
/// of a client is taken for one that was empty and small, as it is after a pause; arguments of 32 KiB and more
/// are read like others.
pub fn put_in_rounds(inbox: &mut Inbox) {
    if inbox.len() < 3 {
        return;
    }
    let mut sockets: BTreeMap<ConnId, Socket> = BTreeMap::new();
    // The listening sockets: of clients, of the bus.
    let mut listening = [None; 2];
    let mut order = Vec::with_capacity(inbox.len());
    for (i, entry) in inbox.drain(..).enumerate() {
        let fresh = |new: bool| Socket { place: (new, i), round: u32::from(new), sent: 0, taken: 0 };
        let key = match &entry.0 {
            Input::Accepted { conn, bus, .. } => {
                sockets.insert(*conn, fresh(true));
                (0, (false, *listening[usize::from(*bus)].get_or_insert(i)))
            }
            input => match conn_of(input) {
                None => (0, (false, i)),
                Some(conn) => {
                    let s = sockets.entry(conn).or_insert(fresh(false));
                    match input {
                        Input::Message { message: message @ Message::Request(_), .. } => {
                            s.read(message.wire_len());
                        }
                        // That nothing more comes is a read of its own.
                        Input::Closed { .. } if s.sent > 0 => s.round += 1,
                        _ => {}
                    }
                    (s.round, s.place)
                }
            },
        };
        order.push((key, entry));
    }
    order.sort_by_key(|(key, _)| *key);
    inbox.extend(order.into_iter().map(|(_, entry)| entry));
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::redis::Addr;
    use crate::redis::server::command::request;

    fn sent(conn: u32, n: usize, bytes: usize) -> (Input, FactId) {
        let message = Message::Request(request(&["SET", &n.to_string(), &"x".repeat(bytes)]));
        (Input::Message { conn: ConnId(conn), tag: 0, message }, FactId::NONE)
    }
    fn closed(conn: u32) -> (Input, FactId) {
        (Input::Closed { conn: ConnId(conn), tag: 0 }, FactId::NONE)
    }
    fn accepted(conn: u32) -> (Input, FactId) {
        let peer = Addr { ip: Ipv4Addr::LOCALHOST, port: 1 };
        (Input::Accepted { conn: ConnId(conn), bus: true, peer }, FactId::NONE)
    }
    fn order(list: Vec<(Input, FactId)>) -> Vec<String> {
        let mut inbox: Inbox = list.into();
        put_in_rounds(&mut inbox);
        let show = |(input, _): &(Input, FactId)| match input {
            Input::Message { message: Message::Request(words), .. } => {
                String::from_utf8_lossy(&words[1]).into_owned()
            }
            Input::Closed { conn, .. } => format!("close {}", conn.0),
            Input::Accepted { conn, .. } => format!("accept {}", conn.0),
            _ => String::new(),
        };
        inbox.iter().map(show).collect()
    }

    #[test]
    fn each_socket_is_read_once_a_round() {
        let got = order(vec![
            sent(1, 0, 6000),
            closed(2),
            sent(1, 1, 6000),
            sent(1, 2, 6000),
            closed(3),
            closed(1),
        ]);
        assert_eq!(got, ["0", "1", "close 2", "close 3", "2", "close 1"]);
    }

    #[test]
    fn who_is_accepted_in_a_round_is_heard_after_the_second_read_of_the_others() {
        // 36 bytes each: the first read ends within the 456th, the second within the 1024th.
        assert_eq!(Message::Request(request(&["SET", "1000", "xxxxxxx"])).wire_len(), 36);
        let mut list: Vec<_> = (1000..2400).map(|n| sent(1, n, 7)).collect();
        list.splice(1..1, [accepted(7), sent(7, 0, 1)]);
        let got = order(list);
        assert_eq!(got.iter().position(|s| s == "accept 7"), Some(455));
        assert_eq!(got.iter().position(|s| s == "0"), Some(1024));
        assert_eq!(got[1025], (1000 + 1023).to_string());
    }
}
