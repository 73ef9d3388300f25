//! What redis-cli says at the end of a creation.

use slotscope::base::Dur;

use crate::support::Cluster;

/// The lines that redis-cli printed when it made a cluster of six nodes.
fn created(seed: u64) -> Vec<String> {
    let mut c = Cluster::alone([7000, 7001, 7002, 7003, 7004, 7005], seed);
    c.run(Dur::secs(3));
    let line = "--cluster create 127.0.0.1:7000 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003 127.0.0.1:7004 \
                127.0.0.1:7005 --cluster-replicas 1 --cluster-yes";
    let words: Vec<String> = line.split(' ').map(str::to_string).collect();
    c.world.run_redis_cli(&words, &[]);
    let limit = c.world.now() + Dur::secs(60);
    while c.world.tools().last().and_then(|t| t.exit_code()).is_none() {
        assert!(c.world.now() < limit && c.world.step(), "redis-cli does not end");
    }
    let tool = c.world.tools().last().expect("a run");
    tool.output().iter().map(|l| l.to_string()).collect()
}

#[test]
fn all_nodes_agree_when_redis_cli_checks_what_it_made() {
    // It asks replicas that are about to load what their masters sent. Redis loads a small dataset in one go, and
    // answers before or after; an answer that it is loading would end the agreement.
    let agree = |seed: &u64| {
        created(*seed).iter().any(|l| l.contains("[OK] All nodes agree about slots configuration."))
    };
    let bad: Vec<u64> = (1..=12).filter(|seed| !agree(seed)).collect();
    assert!(bad.is_empty(), "seeds {bad:?}");
}
