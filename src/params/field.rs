//! The typed values of [`Config`](super::Config): each reads and prints the text of CONFIG GET.

/// A value that knows its CONFIG GET text. The text given to `from_text` was checked by the directive's
/// [`Kind`](super::Kind), so reading cannot fail.
pub(super) trait Field {
    fn from_text(text: &str) -> Self;
    fn to_text(&self) -> String;
}

/// One `save` rule: a snapshot starts after `seconds` if at least `changes` keys changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: u64,
    pub changes: u32,
}

/// When the output buffer of a client is too large. Zero means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    pub hard_bytes: u64,
    pub soft_bytes: u64,
    pub soft_seconds: u32,
}

/// The limits of the three classes of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    pub normal: OutputLimit,
    pub replica: OutputLimit,
    pub pubsub: OutputLimit,
}

/// The master named by `replicaof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaOf {
    pub host: String,
    pub port: u16,
}

/// Declares an enum of words, its list of names in Redis's order, and its [`Field`].
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($variant,)* }
        impl $name {
            /// Redis's words, in the order in which its errors list them.
            pub const NAMES: &[&str] = &[$($word,)*];
            /// Redis's word.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }
        impl Field for $name {
            fn from_text(text: &str) -> Self {
                match text {
                    $($word => $name::$variant,)*
                    _ => unreachable!("unchecked {}: {text}", stringify!($name)),
                }
            }
            fn to_text(&self) -> String {
                self.as_str().into()
            }
        }
    )*};
}

choices! {
    /// `loglevel`
    LogLevel { Debug = "debug", Verbose = "verbose", Notice = "notice", Warning = "warning", }
    /// `appendfsync`
    AppendFsync { EverySec = "everysec", Always = "always", No = "no", }
    /// `repl-diskless-load`
    DisklessLoad { Disabled = "disabled", OnEmptyDb = "on-empty-db", SwapDb = "swapdb", }
    /// `cluster-preferred-endpoint-type`
    EndpointType { Ip = "ip", Hostname = "hostname", UnknownEndpoint = "unknown-endpoint", }
    /// Who may do a protected thing: nobody, everybody, clients on the same host.
    LocalAction { No = "no", Yes = "yes", Local = "local", }
    /// `maxmemory-policy`
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru", VolatileLfu = "volatile-lfu", VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl", AllkeysLru = "allkeys-lru", AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random", NoEviction = "noeviction",
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Field for $int {
            fn from_text(text: &str) -> Self {
                text.parse().unwrap_or_else(|_| unreachable!("unchecked number: {text}"))
            }
            fn to_text(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
integers!(u16, u32, u64);

impl Field for bool {
    fn from_text(text: &str) -> Self {
        text == "yes"
    }
    fn to_text(&self) -> String {
        if *self { "yes" } else { "no" }.into()
    }
}

impl Field for String {
    fn from_text(text: &str) -> Self {
        text.into()
    }
    fn to_text(&self) -> String {
        self.clone()
    }
}

impl Field for Vec<String> {
    fn from_text(text: &str) -> Self {
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_string).collect()
    }
    fn to_text(&self) -> String {
        self.join(" ")
    }
}

impl Field for Vec<SavePoint> {
    fn from_text(text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let point = |pair: &[&str]| SavePoint {
            seconds: Field::from_text(pair[0]),
            changes: Field::from_text(pair[1]),
        };
        words.chunks_exact(2).map(point).collect()
    }
    fn to_text(&self) -> String {
        let points: Vec<String> = self.iter().map(|p| format!("{} {}", p.seconds, p.changes)).collect();
        points.join(" ")
    }
}

impl Field for OutputLimits {
    fn from_text(text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        let limit = |i: usize| OutputLimit {
            hard_bytes: Field::from_text(words[i]),
            soft_bytes: Field::from_text(words[i + 1]),
            soft_seconds: Field::from_text(words[i + 2]),
        };
        OutputLimits { normal: limit(1), replica: limit(5), pubsub: limit(9) }
    }
    fn to_text(&self) -> String {
        let one = |class: &str, limit: &OutputLimit| {
            format!("{class} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
        };
        [one("normal", &self.normal), one("slave", &self.replica), one("pubsub", &self.pubsub)].join(" ")
    }
}

impl Field for Option<ReplicaOf> {
    fn from_text(text: &str) -> Self {
        let (host, port) = text.rsplit_once(' ')?;
        Some(ReplicaOf { host: host.into(), port: Field::from_text(port) })
    }
    fn to_text(&self) -> String {
        self.as_ref().map(|master| format!("{} {}", master.host, master.port)).unwrap_or_default()
    }
}
