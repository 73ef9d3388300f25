//! redis-server and redis-sentinel processes on loopback, children of this one: they end with it, even if it is
//! killed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use super::files::{self, Home};
use crate::lab::ingest::Log;
use crate::resp::{ReplyReader, Value, encode_command};
use crate::world::plan::Plan;

/// What is modelled; another server would differ for good reasons.
pub const VERSION: &str = "7.0.15";
/// No reply takes longer.
const REPLY: Duration = Duration::from_secs(5);
/// A server listens, or redis-cli is done, within this.
const PATIENCE: Duration = Duration::from_secs(60);
/// A larger log is cut.
const MAX_LOG_BYTES: u64 = 256 << 20;

/// Why there are no servers to run, if there are none.
pub fn missing() -> Option<String> {
    for program in ["redis-server", "redis-cli"] {
        let Ok(out) = Command::new(program).arg("--version").output() else {
            return Some(format!("{program} is not installed (not on PATH); Debian has it in redis-server"));
        };
        let text = String::from_utf8_lossy(&out.stdout);
        if !text.contains(VERSION) {
            return Some(format!("the model is Redis {VERSION}, and {program} is another: {}", text.trim()));
        }
    }
    None
}

/// Microseconds since the epoch, by the clock that the servers log.
pub fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}

/// Sleeps until the moment; `Err` as soon as `stop` is set.
///
/// # Errors
/// The run is to end.
pub fn sleep_until(moment: Instant, stop: &AtomicBool) -> Result<(), String> {
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err("stopped".into());
        }
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// Ports handed out and not given back.
static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

/// Ports that are free together with their bus ports, below those that kernels hand out; given back when dropped.
#[derive(Debug)]
pub struct Ports(pub Vec<u16>);

impl Ports {
    /// `count` of them.
    ///
    /// # Errors
    /// There are not so many.
    pub fn free(count: usize) -> Result<Ports, String> {
        let begin = 12_000 + (std::process::id() % 500) as u16 * 16;
        let mut given = GIVEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let taken = |p: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, p)).is_err();
        let free = |port: &u16| !given.contains(port) && !taken(*port) && !taken(*port + 10_000);
        let found: Vec<u16> = (begin..22_000).chain(12_000..begin).filter(free).take(count).collect();
        if found.len() < count {
            return Err(format!("there are no {count} free ports between 12000 and 22000"));
        }
        given.extend(&found);
        Ok(Ports(found))
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        let mut given = GIVEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        given.retain(|p| !self.0.contains(p));
    }
}

/// The program, as a child that the kernel kills as soon as the thread that starts it is gone: who is killed (SIGKILL)
/// cannot end its children. util-linux has the tool for it; where that is missing, the child is a plain one.
pub fn tied(program: &str) -> Command {
    static TIES: OnceLock<bool> = OnceLock::new();
    const TIE: [&str; 3] = ["--pdeathsig", "KILL", "--"];
    let works = || {
        let mut probe = Command::new("setpriv");
        probe.args(TIE).arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    if !*TIES.get_or_init(works) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(TIE).arg(program);
    command
}

/// A process that does not outlive its owner.
#[derive(Debug)]
struct Process(Child);

impl Process {
    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        // Not yet waited for, so the number is still its own.
        let pid = Pid::from_raw(self.0.id() as i32).ok_or("a process without a number")?;
        kill_process(pid, signal).map_err(|e| e.to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// One node's process and folder.
#[derive(Debug)]
struct Node {
    name: String,
    port: u16,
    file: &'static str,
    /// What `file` held at first: Redis rewrites it.
    conf: String,
    home: PathBuf,
    conn: Option<Conn>,
    process: Option<Process>,
}

/// The nodes of a plan on loopback, by number.
#[derive(Debug)]
pub struct Servers {
    // Dropped in this order: processes before the folder they write to.
    nodes: Vec<Node>,
    dir: tempfile::TempDir,
}

impl Servers {
    /// Writes the folders; nothing runs yet. Those of a cluster lie on a memory file system where there is one, as
    /// when the recordings were made: a vote waits for nodes.conf to be synced.
    ///
    /// # Errors
    /// Of the file system.
    pub fn new(plan: &Plan, homes: &[Home]) -> Result<Servers, String> {
        let memory = Path::new("/dev/shm");
        let clustered = plan.nodes.iter().any(|n| n.conf.cluster_enabled);
        let within = if clustered && memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let dir =
            tempfile::Builder::new().prefix("slotscope-").tempdir_in(within).map_err(|e| e.to_string())?;
        let mut nodes = Vec::new();
        for (n, home) in plan.nodes.iter().zip(homes) {
            let path = dir.path().join(&n.name);
            write_home(&path, home)?;
            let (name, port, file) = (n.name.clone(), n.conf.port, files::conf_name(n));
            let conf = home.files.iter().find(|f| f.0 == file).map_or(String::new(), |f| f.1.clone());
            nodes.push(Node { name, port, file, conf, home: path, conn: None, process: None });
        }
        Ok(Servers { nodes, dir })
    }

    /// Starts a node; `wipe`: with an empty disk.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&mut self, i: usize, wipe: bool) -> Result<(), String> {
        let node = &mut self.nodes[i];
        // One that was told to end has ended, or not yet: then it is not started twice.
        if node.process.as_mut().is_some_and(|p| matches!(p.0.try_wait(), Ok(None))) {
            return Ok(());
        }
        (node.conn, node.process) = (None, None);
        if wipe {
            for left in ["nodes.conf", "dump.rdb", "appendonlydir"] {
                let path = node.home.join(left);
                let _ = fs::remove_file(&path);
                let _ = fs::remove_dir_all(&path);
            }
            let path = node.home.join(node.file);
            fs::write(&path, &node.conf).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        let said = File::options().create(true).append(true).open(node.home.join("said.txt"));
        let said = said.map_err(|e| format!("{}: {e}", node.home.display()))?;
        let mut command = tied("redis-server");
        command.arg(node.file).current_dir(&node.home).env("TZ", "UTC");
        if node.file == "sentinel.conf" {
            command.arg("--sentinel");
        }
        // A group of its own: Ctrl-C is for us, and we end our children.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let err = said.try_clone().map_err(|e| e.to_string())?;
        command.stdin(Stdio::null()).stdout(said).stderr(err);
        let child = command.spawn().map_err(|e| format!("redis-server: {e}"))?;
        node.process = Some(Process(child));
        Ok(())
    }

    /// Waits until the nodes answer.
    ///
    /// # Errors
    /// One ends, or does not answer in time; the run is to end.
    pub fn wait_ready(&mut self, nodes: &[usize], stop: &AtomicBool) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        for &i in nodes {
            loop {
                if self.ask(i, &["PING"]).is_ok_and(|v| !v.is_error()) {
                    break;
                }
                let node = &mut self.nodes[i];
                let ended = node.process.as_mut().is_none_or(|p| !matches!(p.0.try_wait(), Ok(None)));
                if ended || Instant::now() > deadline {
                    return Err(format!("{} does not answer: {}", node.name, node.last_words()));
                }
                sleep_until(Instant::now() + Duration::from_millis(10), stop)?;
            }
        }
        Ok(())
    }

    /// kill -9
    pub fn kill(&mut self, i: usize) {
        self.nodes[i].conn = None;
        self.nodes[i].process = None;
    }

    /// Sends a signal to a node that runs.
    ///
    /// # Errors
    /// Of the system.
    pub fn signal(&mut self, i: usize, signal: Signal) -> Result<(), String> {
        let node = &self.nodes[i];
        node.process.as_ref().map_or(Ok(()), |p| p.signal(signal)).map_err(|e| format!("{}: {e}", node.name))
    }

    /// What a node answers.
    ///
    /// # Errors
    /// It does not.
    pub fn ask(&mut self, i: usize, words: &[&str]) -> Result<Value, String> {
        let node = &mut self.nodes[i];
        let conn = match node.conn.take() {
            Some(conn) => conn,
            None => Conn::open(node.port)?,
        };
        let (conn, answer) = conn.ask(words)?;
        node.conn = Some(conn);
        Ok(answer)
    }

    /// The id of a cluster node.
    ///
    /// # Errors
    /// It does not answer.
    pub fn id(&mut self, i: usize) -> Result<String, String> {
        match self.ask(i, &["CLUSTER", "MYID"])? {
            Value::Bulk(id) => Ok(String::from_utf8_lossy(&id).into_owned()),
            other => Err(format!("{} answers CLUSTER MYID with {other}", self.nodes[i].name)),
        }
    }

    /// Runs redis-cli to its end.
    ///
    /// # Errors
    /// It fails or takes too long; the run is to end.
    pub fn redis_cli(&self, words: &[String], stop: &AtomicBool) -> Result<(), String> {
        let path = self.dir.path().join("redis-cli.txt");
        let said = File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let err = said.try_clone().map_err(|e| e.to_string())?;
        let mut command = tied("redis-cli");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.args(words).stdin(Stdio::null()).stdout(said).stderr(err);
        let mut cli = Process(command.spawn().map_err(|e| format!("redis-cli: {e}"))?);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = cli.0.try_wait().map_err(|e| e.to_string())? {
                let said = || fs::read_to_string(&path).unwrap_or_default();
                return if status.success() { Ok(()) } else { Err(format!("redis-cli: {}", said())) };
            }
            if Instant::now() > deadline {
                return Err(format!("redis-cli {} takes longer than a minute", words.join(" ")));
            }
            sleep_until(Instant::now() + Duration::from_millis(10), stop)?;
        }
    }

    /// The logs so far.
    ///
    /// # Errors
    /// Of the file system.
    pub fn logs(&self) -> Result<Vec<Log>, String> {
        let one = |n: &Node| {
            let path = n.home.join("redis.log");
            let mut bytes = Vec::new();
            if path.exists() {
                let fail = |e: std::io::Error| format!("{}: {e}", path.display());
                let file = File::open(&path).map_err(fail)?;
                file.take(MAX_LOG_BYTES).read_to_end(&mut bytes).map_err(fail)?;
            }
            Ok(Log { name: n.name.clone(), text: String::from_utf8_lossy(&bytes).into_owned() })
        };
        let all: Result<Vec<Log>, String> = self.nodes.iter().map(one).collect();
        // A node that never ran has no log.
        Ok(all?.into_iter().filter(|log| !log.text.is_empty()).collect())
    }
}

impl Node {
    /// The end of what it printed and logged, for an error.
    fn last_words(&self) -> String {
        let read = |file: &str| fs::read_to_string(self.home.join(file)).unwrap_or_default();
        let all = read("said.txt") + &read("redis.log");
        let lines: Vec<&str> = all.lines().filter(|l| !l.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(4)..].join(" / ")
    }
}

/// Writes a node's folder.
///
/// # Errors
/// Of the file system, with the path.
pub fn write_home(path: &Path, home: &Home) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|e| format!("{}: {e}", path.display()))?;
    for (name, text) in &home.files {
        let file = path.join(name);
        fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}

/// A connection that waits for each answer.
#[derive(Debug)]
struct Conn {
    stream: TcpStream,
    reader: ReplyReader,
}

impl Conn {
    fn open(port: u16) -> Result<Conn, String> {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let open = || -> std::io::Result<TcpStream> {
            let stream = TcpStream::connect_timeout(&to, REPLY)?;
            stream.set_read_timeout(Some(REPLY))?;
            stream.set_write_timeout(Some(REPLY))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = open().map_err(|e| format!("port {port}: {e}"))?;
        Ok(Conn { stream, reader: ReplyReader::default() })
    }

    /// The connection comes back with the answer; after an error it is of no use.
    fn ask(mut self, words: &[&str]) -> Result<(Conn, Value), String> {
        let fail = |e: &dyn std::fmt::Display| format!("{}: {e}", words.join(" "));
        let mut request = Vec::new();
        encode_command(words, &mut request);
        self.stream.write_all(&request).map_err(|e| fail(&e))?;
        let mut bytes = [0; 16_384];
        loop {
            if let Some(value) = self.reader.next_reply().map_err(|e| fail(&e))? {
                return Ok((self, value));
            }
            match self.stream.read(&mut bytes) {
                Ok(n) if n > 0 => self.reader.feed(&bytes[..n]),
                Ok(_) => return Err(fail(&"the server closed the connection")),
                Err(e) => return Err(fail(&e)),
            }
        }
    }
}
