//! MIGRATE: what it is asked to do. The exchange with the target is in `server::migrate`.

use super::super::Server;
use super::super::command::{Caller, Reply};
use super::super::migrate::Request;
use super::{NOT_AN_INTEGER, SYNTAX, integer, refuse};
use crate::base::{Bytes, Dur};
use crate::redis::Cx;
use crate::redis::repl::stream::Command;
use crate::resp::Value;

/// What a timeout of 0 or less means.
const DEFAULT_TIMEOUT: Dur = Dur::secs(1);

/// First key, last key and step in the words. A mistake is left to the command.
///
/// redis: migrateGetKeys @7.0.15
pub fn keys(args: &[Bytes]) -> (i32, i32, i32) {
    let mut i = 6;
    while let Some(word) = args.get(i) {
        i += match word.to_ascii_lowercase().as_slice() {
            b"keys" if args[3].is_empty() => return (i as i32 + 1, -1, 1),
            b"keys" => return (0, 0, 0),
            b"auth" => 2,
            b"auth2" => 3,
            _ => 1,
        };
    }
    (3, 3, 1)
}

/// MIGRATE host port key|"" db timeout \[COPY\] \[REPLACE\] \[AUTH password | AUTH2 user password\] \[KEYS key...\]
///
/// redis: migrateCommand @7.0.15
pub fn migrate(s: &mut Server, cx: &mut Cx<'_>, caller: Caller, args: &Command) -> Reply {
    let (mut copy, mut replace, mut auth) = (false, false, None);
    let mut keys = &args[3..4];
    let mut rest = &args[6..];
    while let Some((option, more)) = rest.split_first() {
        rest = match (option.to_ascii_lowercase().as_slice(), more) {
            (b"copy", _) => {
                copy = true;
                more
            }
            (b"replace", _) => {
                replace = true;
                more
            }
            (b"auth", [password, more @ ..]) => {
                auth = Some(vec![Bytes::from(b"AUTH"), password.clone()]);
                more
            }
            (b"auth2", [user, password, more @ ..]) => {
                auth = Some(vec![Bytes::from(b"AUTH"), user.clone(), password.clone()]);
                more
            }
            (b"keys", _) => {
                if !args[3].is_empty() {
                    return refuse(
                        "When using MIGRATE KEYS option, the key argument must be set to the empty string",
                    );
                }
                keys = more;
                &[]
            }
            _ => return refuse(SYNTAX),
        };
    }
    let (Some(timeout), Some(db)) = (integer(&args[5]), integer(&args[4])) else {
        return refuse(NOT_AN_INTEGER);
    };
    let found: Vec<Bytes> =
        keys.iter().filter(|key| s.lookup_read(cx, caller, key).is_some()).cloned().collect();
    if found.is_empty() {
        return Some(Value::status("NOKEY"));
    }
    let request = Request {
        caller,
        host: args[1].clone(),
        port: args[2].clone(),
        db,
        timeout: if timeout > 0 { Dur::ms(timeout as u64) } else { DEFAULT_TIMEOUT },
        copy,
        replace,
        auth: auth.map(Into::into),
        keys: found,
    };
    s.begin_migration(cx, request)
}

#[cfg(test)]
mod tests {
    use super::super::super::command::request;
    use super::*;

    #[test]
    fn keys_stand_where_the_options_say() {
        let of = |line: &str| keys(&request(&line.split(' ').collect::<Vec<_>>()));
        assert_eq!(of("MIGRATE h 1 key 0 10"), (3, 3, 1));
        assert_eq!(of("MIGRATE h 1 key 0 10 COPY AUTH keys REPLACE"), (3, 3, 1));
        assert_eq!(of("MIGRATE h 1  0 10 REPLACE KEYS a b"), (8, -1, 1));
        assert_eq!(of("MIGRATE h 1 key 0 10 KEYS a b"), (0, 0, 0));
    }
}
