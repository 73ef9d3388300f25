//! Client libraries that find their master through sentinels: when each writes again, and to whom.

use std::path::Path;

use slotscope::base::NodeTime;
use slotscope::redis::Addr;
use slotscope::scenario;
use slotscope::trace::sentinel::Kind;
use slotscope::trace::{Fact, HostId, Level};
use slotscope::world::World;

/// First acknowledged write of the client at another address than `old`.
fn elsewhere(w: &World, client: &str, old: Addr) -> NodeTime {
    let host = w.hosts.enumerate().find(|(_, h)| h.name == client).map(|(id, _)| id).expect("a client");
    let c = w.sentinel_client(host).expect("a client of sentinels");
    c.acks.iter().find(|(_, _, a)| c.addrs[*a] != old).map(|a| a.1).expect("it writes again")
}

/// When each sentinel had these events, on its own clock.
fn times(w: &World, kind: Kind) -> Vec<(HostId, u64)> {
    let of = |e: &slotscope::trace::Event| matches!(&e.fact, Fact::Sentinel(x) if x.event == kind);
    w.trace.events.iter().filter(|e| of(e)).map(|e| (e.host, e.clock)).collect()
}

#[test]
fn each_library_by_its_own_rule() {
    let s = scenario::load(Path::new("scenarios/sentinel/client-libraries.toml")).expect("it is right");
    let (mut jedis_after_asking, mut seeds) = (0, 0);
    for seed in 1..=4 {
        let outcome = s.run(seed, Level::Headline);
        let w = &outcome.world;
        let old = w.plan.nodes[0].addr();
        let switched = times(w, Kind::Switch);
        let promoted = times(w, Kind::Promoted)[0].1;
        let first = switched.iter().map(|s| s.1).min().expect("a switch");
        let [py, jedis, lettuce] = ["redis-py", "jedis", "lettuce"].map(|name| elsewhere(w, name, old).0);
        // A master that is down for the sentinel asked is none: nobody names another before it switched.
        assert!(py >= first, "seed {seed}: redis-py writes {py}, the first switch is at {first}");
        // The others ask for the address alone: the leader names the promoted replica as soon as it is one.
        assert!(
            jedis >= promoted && lettuce >= promoted,
            "seed {seed}: {jedis}, {lettuce} before {promoted}"
        );
        jedis_after_asking += u32::from(jedis >= first);
        seeds += 1;
        // Waits grow to 1, 2, 4, ... ms, and the failover takes about 3 s: the last wait is at most 2048 ms.
        assert!(lettuce <= promoted + 2_100_000 + 1_200_000, "seed {seed}: lettuce comes at {lettuce}");
    }
    // Jedis believes the old address until somebody publishes the new one.
    assert_eq!(jedis_after_asking, seeds);
}
