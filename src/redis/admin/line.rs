//! The command line of `redis-cli --cluster`, read as redis-cli reads it.

use super::super::Addr;
use super::single::Single;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    Create { nodes: Vec<Addr> },
    Check { at: Addr },
    Info { at: Addr },
    Fix { at: Addr },
    Reshard { at: Addr },
    Rebalance { at: Addr },
    AddNode { new: Addr, at: Addr },
    DelNode { at: Addr, id: String },
    Call { at: Addr, words: Vec<String> },
    SetTimeout { at: Addr, ms: u32 },
    Backup { at: Addr, dir: String },
}

/// How it is to be done. redis: redis-cli.c struct clusterManagerCommand @7.0.15
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub replicas: u32,
    pub master_id: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    /// `id=weight`
    pub(super) weights: Vec<(String, Single)>,
    pub slots: u32,
    pub timeout: u32,
    pub pipeline: u32,
    pub(super) threshold: Single,
    pub yes: bool,
    pub simulate: bool,
    pub replace: bool,
    pub slave: bool,
    pub use_empty_masters: bool,
    pub search_multiple_owners: bool,
    pub fix_with_unreachable_masters: bool,
    pub only_masters: bool,
    pub only_replicas: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            replicas: 0,
            master_id: None,
            from: None,
            to: None,
            weights: Vec::new(),
            slots: 0,
            timeout: 60_000,
            pipeline: 10,
            threshold: Single::from_int(2),
            yes: false,
            simulate: false,
            replace: false,
            slave: false,
            use_empty_masters: false,
            search_multiple_owners: false,
            fix_with_unreachable_masters: false,
            only_masters: false,
            only_replicas: false,
        }
    }
}

/// A whole command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub operation: Operation,
    pub options: Options,
}

const HOST_ARG: &str = "[ERR] Invalid arguments: you need to pass either a valid address (ie. 120.0.0.1:7000) or \
                        space separated IP and port (ie. 120.0.0.1 7000)";
const NAMES: [&str; 11] = [
    "create",
    "check",
    "info",
    "fix",
    "reshard",
    "rebalance",
    "add-node",
    "del-node",
    "call",
    "set-timeout",
    "backup",
];

impl Line {
    /// Reads the words after `redis-cli`. The error is what redis-cli prints, or says what is not
    /// modelled.
    ///
    /// redis: redis-cli.c parseOptions, validateClusterManagerCommand, getClusterHostFromCmdArgs @7.0.15
    ///
    /// deviates: what redis-cli would ask for at its terminal (slots, source and target of a reshard) must
    /// be on the line; passwords, TLS, hostnames and `import` are not modelled.
    pub fn parse(words: &[String]) -> Result<Line, String> {
        let mut name = None;
        let mut args: Vec<String> = Vec::new();
        let mut o = Options::default();
        let mut rest = words.iter().peekable();
        let plain = |w: &&String| !w.starts_with('-');
        while let Some(word) = rest.next() {
            let mut value = || {
                let missing = || format!("Unrecognized option or bad number of args for: '{word}'");
                rest.next().cloned().ok_or_else(missing)
            };
            match word.as_str() {
                "--cluster" => {
                    name = Some(value()?);
                    while let Some(arg) = rest.next_if(plain) {
                        args.push(arg.clone());
                    }
                }
                "--cluster-replicas" => o.replicas = number(word, &value()?)?,
                "--cluster-master-id" => o.master_id = Some(value()?),
                "--cluster-from" => o.from = Some(value()?),
                "--cluster-to" => o.to = Some(value()?),
                "--cluster-slots" => o.slots = number(word, &value()?)?,
                "--cluster-timeout" => o.timeout = number(word, &value()?)?,
                "--cluster-pipeline" => o.pipeline = number(word, &value()?)?,
                "--cluster-threshold" => o.threshold = fraction(word, &value()?)?,
                "--cluster-weight" => {
                    while let Some(pair) = rest.next_if(|w| !w.starts_with("--") && w.contains('=')) {
                        let (node, weight) = pair.split_once('=').unwrap_or_default();
                        o.weights.push((node.to_string(), fraction(word, weight)?));
                    }
                }
                "--cluster-yes" => o.yes = true,
                "--cluster-simulate" => o.simulate = true,
                "--cluster-replace" => o.replace = true,
                "--cluster-slave" => o.slave = true,
                "--cluster-use-empty-masters" => o.use_empty_masters = true,
                "--cluster-search-multiple-owners" => o.search_multiple_owners = true,
                "--cluster-fix-with-unreachable-masters" => o.fix_with_unreachable_masters = true,
                "--cluster-only-masters" => o.only_masters = true,
                "--cluster-only-replicas" => o.only_replicas = true,
                other if other.starts_with('-') => {
                    return Err(format!("Unrecognized option or bad number of args for: '{other}'"));
                }
                _ if name.is_some() && args.is_empty() => {
                    args.push(word.clone());
                    args.extend(rest.by_ref().cloned());
                }
                other => return Err(format!("`{other}` has no place here; begin with `--cluster`")),
            }
        }
        let name = name.ok_or("only `redis-cli --cluster ...` is modelled; other commands go to one node")?;
        if name == "reshard" && (o.slots == 0 || o.from.is_none() || o.to.is_none()) {
            return Err(
                "redis-cli would ask questions: give --cluster-from, --cluster-to and --cluster-slots".into(),
            );
        }
        Ok(Line { operation: operation(&name, &args)?, options: o })
    }
}

fn operation(name: &str, args: &[String]) -> Result<Operation, String> {
    if !NAMES.contains(&name) {
        return Err(format!("Unknown --cluster subcommand; there are {}", NAMES.join(", ")));
    }
    let arity_is_right = match name {
        "add-node" | "del-node" | "set-timeout" | "backup" => args.len() == 2,
        "create" | "call" => args.len() >= 2,
        _ => !args.is_empty(),
    };
    if !arity_is_right {
        return Err("[ERR] Wrong number of arguments for specified --cluster sub command".into());
    }
    let first = || host(&args[..1]);
    Ok(match name {
        "create" => Operation::Create {
            nodes: args
                .iter()
                .map(|a| address(a).ok_or_else(|| format!("Invalid address format: {a}")))
                .collect::<Result<_, _>>()?,
        },
        "check" => Operation::Check { at: host(args)? },
        "info" => Operation::Info { at: host(args)? },
        "fix" => Operation::Fix { at: host(args)? },
        "reshard" => Operation::Reshard { at: host(args)? },
        "rebalance" => Operation::Rebalance { at: host(args)? },
        "add-node" => Operation::AddNode { new: first()?, at: host(&args[1..])? },
        "del-node" => Operation::DelNode { at: first()?, id: args[1].clone() },
        "backup" => Operation::Backup { at: first()?, dir: args[1].clone() },
        "call" => Operation::Call { at: first()?, words: args[1..].to_vec() },
        _ => match number("set-timeout", &args[1])? {
            ms if ms >= 100 => Operation::SetTimeout { at: first()?, ms },
            _ => return Err("Setting a node timeout of less than 100 milliseconds is a bad idea.".into()),
        },
    })
}

fn host(args: &[String]) -> Result<Addr, String> {
    let found = match args {
        [one] => address(one),
        [ip, port, ..] => address(&format!("{ip}:{port}")),
        [] => None,
    };
    found.ok_or_else(|| HOST_ARG.to_string())
}

/// `ip:port`, with or without `@cport`.
fn address(text: &str) -> Option<Addr> {
    let text = text.rsplit_once('@').map_or(text, |(address, _)| address);
    let (ip, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|p| *p != 0)?;
    Some(Addr { ip: ip.parse().ok()?, port })
}

fn number(option: &str, text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{option}: `{text}` is not a number"))
}

fn fraction(option: &str, text: &str) -> Result<Single, String> {
    Single::parse(text).ok_or_else(|| format!("{option}: `{text}` is not a number such as 1 or 2.5"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Line, String> {
        Line::parse(&line.split(' ').map(str::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_is_read_as_redis_cli_reads_it() {
        let line = parse(
            "--cluster reshard 10.0.0.1:7000 --cluster-from a,b --cluster-to c --cluster-slots 1000 --cluster-yes",
        );
        let line = line.expect("a good line");
        let at = Addr { ip: [10, 0, 0, 1].into(), port: 7000 };
        assert_eq!(line.operation, Operation::Reshard { at });
        assert_eq!((line.options.slots, line.options.pipeline, line.options.yes), (1000, 10, true));
        assert_eq!(parse("--cluster info 10.0.0.1 7000").map(|l| l.operation), Ok(Operation::Info { at }));
        let weights =
            parse("--cluster rebalance --cluster-weight a=2 b=0.5 --cluster-simulate 10.0.0.1:7000");
        let weights = weights.expect("a good line");
        assert_eq!(weights.operation, Operation::Rebalance { at });
        assert_eq!(weights.options.weights.len(), 2);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |line: &str| parse(line).expect_err(line);
        assert!(error("--cluster destroy 10.0.0.1:7000").starts_with("Unknown --cluster subcommand"));
        assert!(error("--cluster del-node 10.0.0.1:7000").contains("Wrong number of arguments"));
        assert!(error("--cluster check somewhere").contains("valid address"));
        assert!(error("--cluster check 10.0.0.1:7000 --cluster-bogus").contains("--cluster-bogus"));
        assert!(error("--cluster reshard 10.0.0.1:7000").contains("--cluster-slots"));
        assert!(error("--cluster set-timeout 10.0.0.1:7000 50").contains("bad idea"));
        assert!(error("GET key").contains("--cluster"));
    }
}
