//! What simulated nodes answer is read by the readers of real answers.

mod create;
mod data;
mod migration;

use slotscope::base::Dur;
use slotscope::resp::{Protocol, Value};
use slotscope::text::{
    NodeFlags, OpenSlot, parse_cli, parse_cluster_info, parse_info, parse_links, parse_nodes, parse_shards,
    parse_slots, subfields,
};

use slotscope::world::plan::Action;

use crate::support::Cluster;

const PORTS: [u16; 6] = [7000, 7001, 7002, 7003, 7004, 7005];

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value:?}"))
}

#[test]
fn every_line_of_every_view_is_read() {
    let mut c = Cluster::formed(PORTS, 7);
    for n in 0..6 {
        let nodes = c.ask(n, "CLUSTER NODES");
        assert!(matches!(nodes, Value::Verbatim { .. }));
        let read = parse_nodes(text(&nodes)).unwrap();
        assert_eq!(read.to_string(), text(&nodes));
        assert_eq!((read.nodes.len(), read.check_loadable()), (6, Ok(())));
        assert!(read.nodes.iter().all(|node| node.connected && node.ip == "127.0.0.1"));

        let info = parse_cluster_info(text(&c.ask(n, "CLUSTER INFO"))).unwrap();
        assert!(info.state_ok);
        assert_eq!((info.known_nodes, info.size, info.slots_ok, info.current_epoch), (6, 3, 16384, 6));
        assert_eq!(info.messages_sent, info.sent.iter().map(|(_, count)| count).sum::<u64>());

        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let seen = |v: Value| if protocol == Protocol::Resp2 { v.into_resp2() } else { v };
            let slots = parse_slots(&seen(c.ask(n, "CLUSTER SLOTS"))).unwrap();
            let ranges: Vec<_> = slots.iter().map(|row| (row.first, row.last, row.nodes.len())).collect();
            assert_eq!(ranges, [(0, 5460, 2), (5461, 10922, 2), (10923, 16383, 2)]);
            assert_eq!(slots[1].nodes[0].name.as_str(), c.id(1));

            let shards = parse_shards(&seen(c.ask(n, "CLUSTER SHARDS"))).unwrap();
            assert_eq!(shards.len(), 3);
            for shard in &shards {
                let roles: Vec<_> = shard.nodes.iter().map(|node| node.is_master).collect();
                assert_eq!((shard.slots.len(), roles), (1, vec![true, false]));
                assert!(shard.nodes.iter().all(|node| node.health == "online"));
            }

            let links = parse_links(&seen(c.ask(n, "CLUSTER LINKS"))).unwrap();
            assert_eq!(links.iter().filter(|link| link.to).count(), 5);
            assert_eq!(links.iter().filter(|link| !link.to).count(), 5);
            assert!(links.iter().all(|link| link.events == "r" && link.create_time > 1_800_000_000_000));
        }
        // What redis-cli would print is read back as the same reply.
        let shards = c.ask(n, "CLUSTER SHARDS").into_resp2();
        assert_eq!(parse_cli(shards.to_string()).unwrap(), shards);
    }
}

#[test]
fn info_has_its_sections_in_order() {
    let mut c = Cluster::formed(PORTS, 7);
    c.ask(0, "SET bar v");
    let all = parse_info(text(&c.ask(0, "INFO"))).unwrap();
    let titles: Vec<&str> = all.iter().map(|s| s.title.as_str()).collect();
    let expected = [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "Modules",
        "Errorstats",
        "Cluster",
        "Keyspace",
    ];
    assert_eq!(titles, expected);
    assert_eq!(parse_info(text(&c.ask(0, "INFO default"))).unwrap().len(), expected.len());
    for all in ["INFO all", "INFO EVERYTHING"] {
        let all = parse_info(text(&c.ask(0, all))).unwrap();
        let titles: Vec<&str> = all.iter().map(|s| s.title.as_str()).collect();
        assert_eq!(titles, [&expected[..7], &["Commandstats"], &expected[7..]].concat());
    }
    let two = parse_info(text(&c.ask(0, "INFO keyspace REPLICATION keyspace"))).unwrap();
    assert_eq!(two.iter().map(|s| s.title.as_str()).collect::<Vec<_>>(), ["Replication", "Keyspace"]);
    assert_eq!(text(&c.ask(0, "INFO nonsense")), "");

    let of = |c: &mut Cluster, n: usize, section: &str| {
        parse_info(text(&c.ask(n, &format!("INFO {section}")))).unwrap().remove(0)
    };
    c.ask(0, "SET hello v");
    // Between two bytes of the stream, and after the acknowledgement of the first.
    c.run(Dur::ms(500));
    while c
        .world
        .host("n1")
        .and_then(|h| c.world.server(h))
        .is_some_and(|s| s.repl.replicas.iter().any(|r| r.ack_offset < s.repl.offset))
    {
        c.run(Dur::ms(10));
    }
    let master = of(&mut c, 0, "replication");
    assert_eq!((master.get("role"), master.get("connected_slaves")), (Some("master"), Some("1")));
    let replica = c.replica_of(0);
    let slave0 = subfields(master.get("slave0").unwrap());
    let names: Vec<&str> = slave0.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["ip", "port", "state", "offset", "lag"]);
    assert_eq!(slave0[1].1, PORTS[replica].to_string());
    assert_eq!(slave0[3].1, master.get("master_repl_offset").unwrap());

    let slave = of(&mut c, replica, "replication");
    assert_eq!((slave.get("role"), slave.get("master_link_status")), (Some("slave"), Some("up")));
    assert_eq!(slave.get("master_port"), Some("7000"));
    assert_eq!(slave.get("slave_repl_offset"), master.get("master_repl_offset"));
    assert_eq!(slave.get("master_replid"), master.get("master_replid"));
    assert_eq!(slave.get("master_link_down_since_seconds"), None);
    assert_eq!(of(&mut c, replica, "keyspace").fields, of(&mut c, 0, "keyspace").fields);
}

/// A question may change nothing but the counters of commands.
#[test]
fn errors_are_counted_by_code() {
    let mut c = Cluster::formed(PORTS, 7);
    for line in ["GET bar", "NOPE", "CLUSTER NOPE", "CLUSTER MEET", "CONFIG SET port x"] {
        assert!(c.ask(1, line).is_error(), "{line}");
    }
    let stats = parse_info(text(&c.ask(1, "INFO errorstats"))).unwrap().remove(0);
    assert_eq!(
        (stats.get("errorstat_ERR"), stats.get("errorstat_MOVED")),
        (Some("count=4"), Some("count=1"))
    );
    c.ask(1, "CONFIG RESETSTAT");
    assert!(parse_info(text(&c.ask(1, "INFO errorstats"))).unwrap()[0].fields.is_empty());
}

#[test]
fn a_slot_moves_by_hand_from_node_to_node() {
    let mut c = Cluster::formed(PORTS, 7);
    let (a, b) = (c.id(0), c.id(1));
    let slot = c.ask(0, "CLUSTER KEYSLOT bar").as_int().unwrap();
    assert!(slot <= 5460, "the test needs a slot of n1");
    assert_eq!(c.ask(1, &format!("CLUSTER SETSLOT {slot} IMPORTING {a}")), Value::ok());
    assert_eq!(c.ask(0, &format!("CLUSTER SETSLOT {slot} MIGRATING {b}")), Value::ok());
    let open = |c: &mut Cluster, n: usize| c.nodes(n).myself().unwrap().open.clone();
    assert!(matches!(open(&mut c, 0)[..], [OpenSlot::Migrating { .. }]));
    assert!(matches!(open(&mut c, 1)[..], [OpenSlot::Importing { .. }]));
    assert_eq!(text(&c.ask(0, "GET bar")), format!("ASK {slot} 127.0.0.1:7001"));
    assert_eq!(text(&c.ask(1, "GET bar")), format!("MOVED {slot} 127.0.0.1:7000"));
    assert_eq!(c.ask(1, "ASKING"), Value::ok());
    assert_eq!(c.ask(1, "SET bar v"), Value::ok());
    let epoch = |c: &mut Cluster, n: usize| c.nodes(n).myself().unwrap().epoch;
    let before = epoch(&mut c, 1);
    assert_eq!(c.ask(1, &format!("CLUSTER SETSLOT {slot} NODE {b}")), Value::ok());
    assert_eq!(c.ask(0, &format!("CLUSTER SETSLOT {slot} NODE {b}")), Value::ok());
    assert_eq!((before, epoch(&mut c, 1)), (2, 7), "an imported slot takes a new epoch");
    assert_eq!(text(&c.ask(0, "GET bar")), format!("MOVED {slot} 127.0.0.1:7001"));
    assert_eq!(text(&c.ask(1, "GET bar")), "v");
    c.run(Dur::secs(2));
    for n in 0..6 {
        let nodes = c.nodes(n);
        let owner = nodes.nodes.iter().find(|node| node.slots.iter().any(|r| r.0 == slot as u16));
        assert_eq!(owner.unwrap().name.as_str(), b, "as n{} sees it", n + 1);
        assert!(nodes.myself().unwrap().open.is_empty());
    }
}

/// A master that gives its last slot away follows the node that got it.
#[test]
fn an_emptied_master_becomes_a_replica() {
    let mut c = Cluster::formed(PORTS, 7);
    let b = c.id(1);
    for slot in 0..=5460 {
        assert_eq!(c.ask(0, &format!("CLUSTER SETSLOT {slot} NODE {b}")), Value::ok());
    }
    let nodes = c.nodes(0);
    let me = nodes.myself().unwrap();
    assert!(me.flags.has(NodeFlags::SLAVE));
    assert_eq!(me.master.unwrap().as_str(), b);
    assert_eq!(text(&c.ask(0, "CLUSTER SETSLOT 0 STABLE")), "ERR Please use SETSLOT only with masters.");
}

/// Redis asserts that a replica owns no slots, and ADDSLOTS can give it some.
#[test]
fn a_replica_with_slots_dies_of_replicate() {
    let mut c = Cluster::formed(PORTS, 7);
    let replica = c.replica_of(0);
    let other = c.id(1);
    assert_eq!(c.ask(replica, "CLUSTER DELSLOTS 9"), Value::ok());
    assert_eq!(c.ask(replica, "CLUSTER ADDSLOTS 9"), Value::ok());
    let host = slotscope::trace::HostId(replica as u32);
    c.free(replica);
    assert_eq!(c.world.ask(host, &["CLUSTER", "REPLICATE", &other]), None);
    assert!(c.world.server(host).is_none(), "the process is gone");
}

#[test]
fn config_rewrite_outlives_the_process() {
    let mut c = Cluster::formed(PORTS, 7);
    let host = slotscope::trace::HostId(0);
    let value = |c: &mut Cluster| c.ask(0, "CONFIG GET cluster-node-timeout").into_resp2().to_string();
    assert_eq!(c.ask(0, "CONFIG SET cluster-node-timeout 2500"), Value::ok());
    assert_eq!(c.ask(0, "CONFIG REWRITE"), Value::ok());
    assert_eq!(c.ask(0, "CONFIG SET cluster-node-timeout 3000"), Value::ok());
    assert!(value(&mut c).contains("\"3000\""));
    assert_eq!(c.world.ask(host, &["SHUTDOWN", "NOSAVE", "NOW"]), None);
    c.world.act(&Action::Start { node: "n1".into(), wipe: false });
    c.run(Dur::secs(1));
    assert!(value(&mut c).contains("\"2500\""));
}

/// Names and flags of the configuration hold from the first moment of a life.
#[test]
fn what_a_node_announces_comes_from_its_configuration() {
    let mut c = Cluster::formed(PORTS, 7);
    c.ask(0, "CONFIG SET cluster-announce-hostname host-0.example cluster-replica-no-failover yes");
    c.ask(0, "CONFIG REWRITE");
    c.ask(0, "CONFIG SET cluster-announce-hostname host-9.example cluster-replica-no-failover no");
    let me = |c: &mut Cluster| c.nodes(0).myself().unwrap().clone();
    assert_eq!(me(&mut c).hostname, "host-9.example");
    assert!(!me(&mut c).flags.has(NodeFlags::NOFAILOVER));
    c.world.act(&Action::Kill { node: "n1".into() });
    c.world.act(&Action::Start { node: "n1".into(), wipe: false });
    c.run(Dur::secs(1));
    assert_eq!(me(&mut c).hostname, "host-0.example");
    assert!(me(&mut c).flags.has(NodeFlags::NOFAILOVER));
}

#[test]
fn a_client_has_a_name_and_a_protocol() {
    let mut c = Cluster::formed(PORTS, 7);
    let id = c.ask(0, "CLIENT ID").as_int().unwrap();
    assert_eq!(c.ask(0, "CLIENT GETNAME"), Value::Nil);
    assert_eq!(c.ask(0, "CLIENT SETNAME tester"), Value::ok());
    assert_eq!(text(&c.ask(0, "CLIENT GETNAME")), "tester");
    assert!(c.ask_words(0, &["CLIENT", "SETNAME", "a b"]).is_error());
    let hello = c.ask(0, "HELLO 3");
    let pairs = hello.as_pairs().unwrap();
    assert_eq!(pairs[2].1, &Value::Int(3));
    assert_eq!(pairs[3].1, &Value::Int(id));
    assert_eq!(text(&c.ask(0, "HELLO 4")), "NOPROTO unsupported protocol version");
    let info = c.ask(0, "CLIENT INFO");
    assert!(text(&info).starts_with(&format!("id={id} addr=127.0.0.1:")));
    assert!(text(&info).ends_with(" cmd=client|info user=default redir=-1 resp=3\n"));
    let list = c.ask(0, "CLIENT LIST");
    assert_eq!(text(&list).lines().count(), 2, "the operator and the replica:\n{list}");
    assert_eq!(text(&c.ask(0, "CLIENT LIST TYPE replica")).lines().count(), 1);
}

#[test]
fn commands_describe_themselves() {
    let mut c = Cluster::formed(PORTS, 7);
    let count = c.ask(0, "COMMAND COUNT").as_int().unwrap() as usize;
    assert_eq!(c.ask(0, "COMMAND").as_array().unwrap().len(), count);
    assert_eq!(c.ask(0, "COMMAND LIST").as_array().unwrap().len(), count);
    assert_eq!(c.ask(0, "COMMAND DOCS").as_pairs().unwrap().len(), count);
    let get = c.ask(0, "COMMAND INFO get cluster|nodes nope");
    let rows = get.as_array().unwrap();
    assert_eq!(rows[0].as_array().unwrap()[1], Value::Int(2));
    assert_eq!(text(&rows[1].as_array().unwrap()[0]), "cluster|nodes");
    assert_eq!(rows[2], Value::Nil);
    assert_eq!(c.ask(0, "COMMAND GETKEYS DEL a b"), Value::bulks(["a", "b"]));
}
