//! A proxy before each real server. It writes down every request that the server gets, in the order in which
//! they arrive, whoever sends them. MONITOR would not do: it leaves out what administrators send.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use slotscope::resp::{ReplyReader, Value};

/// Words of a request.
pub type Words = Vec<Vec<u8>>;
type Log = Arc<Mutex<Vec<(usize, Words)>>>;

/// The requests of all servers since they were taken last.
pub struct Proxies {
    log: Log,
}

impl Proxies {
    /// Server number `n` is asked at `fronts[n]` and listens at `backs[n]`.
    pub fn start(fronts: &[u16], backs: &[u16]) -> Proxies {
        let log = Log::default();
        for (n, (&front, &back)) in fronts.iter().zip(backs).enumerate() {
            let listener = TcpListener::bind(("127.0.0.1", front)).expect("a free port");
            let log = log.clone();
            // They end with the process: each waits for connections for as long as the test runs.
            std::thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    carry(n, client, back, &log);
                }
            });
        }
        Proxies { log }
    }

    /// What each of `count` servers was asked since the last call.
    pub fn take(&self, count: usize) -> Vec<Vec<Words>> {
        let mut all = vec![Vec::new(); count];
        for (n, words) in self.log.lock().expect("a whole log").drain(..) {
            all[n].push(words);
        }
        all
    }
}

/// Carries bytes both ways; requests are logged before they go on, so that order is causal.
fn carry(n: usize, client: TcpStream, back: u16, log: &Log) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", back)) else {
        let _ = client.shutdown(Shutdown::Both);
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket option");
    }
    let (mut from, mut to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    let log = log.clone();
    std::thread::spawn(move || {
        let mut reader = ReplyReader::default();
        pump(&mut from, &mut to, |bytes| {
            // SYNC comes as a line.
            if bytes.first().is_some_and(u8::is_ascii_alphabetic) {
                let words = bytes.trim_ascii().split(|b| *b == b' ').map(<[u8]>::to_vec).collect();
                log.lock().expect("a whole log").push((n, words));
                return;
            }
            reader.feed(bytes);
            // A request is a list of strings; anything else is not one.
            while let Ok(Some(value)) = reader.next_reply() {
                let words: Words = value
                    .as_array()
                    .unwrap_or_default()
                    .iter()
                    .filter_map(Value::as_bytes)
                    .map(<[u8]>::to_vec)
                    .collect();
                log.lock().expect("a whole log").push((n, words));
            }
        });
    });
    let (mut from, mut to) = (server, client);
    std::thread::spawn(move || pump(&mut from, &mut to, |_| {}));
}

fn pump(from: &mut TcpStream, to: &mut TcpStream, mut see: impl FnMut(&[u8])) {
    let mut bytes = [0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        see(&bytes[..n]);
        if to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
