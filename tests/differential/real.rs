//! Real redis-servers on loopback, and a plain connection to each.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub use slotscope::lab::real::servers::missing;
use slotscope::lab::real::servers::tied;
use slotscope::resp::{ReplyReader, Value, encode_command};

use crate::support::SETTINGS;

/// No reply takes longer.
const REPLY: Duration = Duration::from_secs(10);

/// A process that does not outlive its owner, panic or not.
struct Process(Child);

impl Process {
    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The servers, by number, with one connection to each.
pub struct Servers {
    conns: Vec<Conn>,
    // Dropped in this order: processes before the folder they write to.
    processes: Vec<Process>,
    ports: Vec<u16>,
    dir: tempfile::TempDir,
}

struct Conn {
    stream: TcpStream,
    reader: ReplyReader,
}

/// Directives of one server, with the words of their values.
pub type Directives = Vec<(&'static str, Vec<String>)>;

/// Ports handed out so far.
static GIVEN: std::sync::Mutex<Vec<u16>> = std::sync::Mutex::new(Vec::new());

/// Ports that are free together with their bus ports, below those that the kernel hands out.
pub fn free_ports(count: usize) -> Vec<u16> {
    let begin = 20_000 + (std::process::id() % 200) as u16 * 10;
    // Tests run side by side: nobody gets a port twice.
    let mut given = GIVEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let free = |port: &u16| {
        let taken = |p: u16| TcpListener::bind(("127.0.0.1", p)).is_err();
        !given.contains(port) && !taken(*port) && !taken(*port + 10_000)
    };
    let found: Vec<u16> = (begin..22_700).chain(20_000..begin).filter(free).take(count).collect();
    assert_eq!(found.len(), count, "not enough free ports");
    given.extend(&found);
    found
}

impl Servers {
    /// Starts a server per port; those with `true` are cluster nodes.
    pub fn start(nodes: &[(u16, bool)]) -> Servers {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let processes = nodes.iter().map(|&(port, c)| spawn(dir.path(), port, c, &[])).collect();
        Servers::connected(nodes.iter().map(|n| n.0).collect(), processes, dir)
    }

    /// Cluster nodes that listen on `ports` and say that they listen on `announced`.
    pub fn start_behind(ports: &[u16], announced: &[u16]) -> Servers {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let node = |(&port, &front): (&u16, &u16)| {
            let (bus, front) = ((front + 10_000).to_string(), front.to_string());
            spawn(dir.path(), port, true, &[("cluster-announce-port", &front), ("cluster-port", &bus)])
        };
        let processes = ports.iter().zip(announced).map(node).collect();
        Servers::connected(ports.to_vec(), processes, dir)
    }

    /// Data nodes with their own directives, and sentinels with their files.
    pub fn with_sentinels(data: &[(u16, Directives)], sentinels: &[(u16, String)]) -> Servers {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut processes = Vec::new();
        for (port, more) in data {
            let more: Vec<(&str, String)> = more.iter().map(|(name, v)| (*name, v.join(" "))).collect();
            let more: Vec<(&str, &str)> = more.iter().map(|(name, v)| (*name, v.as_str())).collect();
            processes.push(spawn(dir.path(), *port, false, &more));
        }
        for (port, text) in sentinels {
            let home = dir.path().join(port.to_string());
            std::fs::create_dir(&home).expect("a folder for the sentinel");
            let file = home.join("sentinel.conf");
            let text = format!("{text}dir {}\nlogfile sentinel.log\n", home.display());
            std::fs::write(&file, text).expect("a file in the folder of the sentinel");
            let mut command = tied("redis-server");
            command.arg(file).arg("--sentinel");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            processes.push(Process(command.spawn().expect("a sentinel starts")));
        }
        Servers::connected(
            data.iter().map(|d| d.0).chain(sentinels.iter().map(|s| s.0)).collect(),
            processes,
            dir,
        )
    }

    /// Servers that have all their settings from a file that CONFIG REWRITE can write to: such can be started again.
    pub fn of_files(ports: &[u16], settings: &[(&str, &str)]) -> Servers {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let node = |&port: &u16| {
            let home = dir.path().join(port.to_string());
            std::fs::create_dir(&home).expect("a folder for the server");
            let lines = settings.iter().map(|(name, v)| match v {
                &"" => format!("{name} \"\"\n"),
                v => format!("{name} {v}\n"),
            });
            let text: String = lines.collect();
            let text = format!("{text}port {port}\nbind 127.0.0.1\ndaemonize no\nlogfile redis.log\n");
            for file in [CONF, FIRST_CONF] {
                std::fs::write(home.join(file), &text).expect("a file in the folder of the server");
            }
            launch(&home)
        };
        let processes = ports.iter().map(node).collect();
        Servers::connected(ports.to_vec(), processes, dir)
    }

    fn connected(ports: Vec<u16>, processes: Vec<Process>, dir: tempfile::TempDir) -> Servers {
        let conns = ports.iter().map(|&port| Conn::open(port)).collect();
        Servers { conns, processes, ports, dir }
    }

    fn home(&self, n: usize) -> PathBuf {
        self.dir.path().join(self.ports[n].to_string())
    }

    /// kill -9, and started again from its file; `wipe`: its data are gone, and what it wrote to the file.
    pub fn again(&mut self, n: usize, wipe: bool) {
        self.kill(n);
        if wipe {
            for file in self.files(n) {
                std::fs::remove_file(self.home(n).join(file)).expect("a file of the server");
            }
            let home = self.home(n);
            std::fs::copy(home.join(FIRST_CONF), home.join(CONF)).expect("a file of the server");
        }
        self.processes[n] = launch(&self.home(n));
        self.conns[n] = Conn::open(self.ports[n]);
    }

    /// The files of a server's data, sorted, below its folder.
    pub fn files(&self, n: usize) -> Vec<String> {
        let home = self.home(n);
        let names = |dir: PathBuf| {
            let all =
                std::fs::read_dir(dir).into_iter().flatten().map(|e| e.expect("a file of the server").path());
            all.filter(|p| p.is_file()).collect::<Vec<_>>()
        };
        let all = names(home.clone()).into_iter().chain(names(home.join("appendonlydir")));
        let shown = all.map(|p| p.strip_prefix(&home).expect("below it").display().to_string());
        let mut data: Vec<String> =
            shown.filter(|f| ![CONF, FIRST_CONF, "redis.log"].contains(&f.as_str())).collect();
        data.sort();
        data
    }

    /// `redis-cli --cluster create` with one replica per master.
    pub fn create_cluster(&self, ports: &[u16]) {
        let log = self.dir.path().join("create.log");
        let file = File::create(&log).expect("a log file");
        let mut command = tied("redis-cli");
        command.args(["--cluster", "create"]).args(ports.iter().map(|p| format!("127.0.0.1:{p}")));
        command.args(["--cluster-replicas", "1", "--cluster-yes"]);
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a log file")).stderr(file);
        let mut cli = Process(command.spawn().expect("redis-cli starts"));
        let deadline = Instant::now() + Duration::from_secs(30);
        let done = loop {
            match cli.0.try_wait().expect("redis-cli is a child") {
                Some(status) => break status.success(),
                None if Instant::now() > deadline => break false,
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        assert!(done, "redis-cli --cluster create: {}", std::fs::read_to_string(log).unwrap_or_default());
    }

    pub fn ask(&mut self, n: usize, words: &[&str]) -> Value {
        self.conns[n].ask(words)
    }

    /// kill -9
    pub fn kill(&mut self, n: usize) {
        self.processes[n].end();
    }
}

/// The file that a server has its settings from, and how it was at first.
const CONF: &str = "redis.conf";
const FIRST_CONF: &str = "first.conf";

/// A server with all its settings from the file in its folder.
fn launch(home: &Path) -> Process {
    let mut command = tied("redis-server");
    command.arg(CONF).current_dir(home);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().expect("redis-server starts"))
}

fn spawn(dir: &Path, port: u16, clustered: bool, more: &[(&str, &str)]) -> Process {
    let home = dir.join(port.to_string());
    std::fs::create_dir(&home).expect("a folder for the server");
    let mut command = tied("redis-server");
    if !more.is_empty() {
        // One that CONFIG REWRITE can write to.
        let file = home.join("redis.conf");
        std::fs::write(&file, "").expect("a file in the folder of the server");
        command.arg(file);
    }
    command.arg("--port").arg(port.to_string()).arg("--dir").arg(&home);
    command.args(["--daemonize", "no", "--logfile", "redis.log"]);
    command.args(["--cluster-enabled", if clustered { "yes" } else { "no" }]);
    for (name, value) in SETTINGS.iter().chain(more) {
        command.arg(format!("--{name}")).args(value.split(' '));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().expect("redis-server starts"))
}

impl Conn {
    /// Connects, waiting until the server listens.
    fn open(port: u16) -> Conn {
        let deadline = Instant::now() + REPLY;
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(e) if Instant::now() > deadline => panic!("port {port}: {e}"),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        stream.set_read_timeout(Some(REPLY)).expect("a timeout");
        stream.set_nodelay(true).expect("a socket option");
        Conn { stream, reader: ReplyReader::default() }
    }

    fn ask(&mut self, words: &[&str]) -> Value {
        let mut request = Vec::new();
        encode_command(words, &mut request);
        self.stream.write_all(&request).unwrap_or_else(|e| panic!("{words:?}: {e}"));
        let mut bytes = [0; 65536];
        loop {
            match self.reader.next_reply() {
                Ok(Some(value)) => return value,
                Ok(None) => {}
                Err(e) => panic!("{words:?}: {e}"),
            }
            match self.stream.read(&mut bytes) {
                Ok(n) if n > 0 => self.reader.feed(&bytes[..n]),
                Ok(_) => panic!("{words:?}: the server closed the connection"),
                Err(e) => panic!("{words:?}: {e}"),
            }
        }
    }
}
