//! What is done by hand: in the past too, with both futures kept, and as a scenario in the end.

use std::path::Path;
use std::sync::Arc;

use ratatui::crossterm::event::{Event as TermEvent, KeyCode, KeyEvent};
use slotscope::base::{Dur, SimTime};
use slotscope::scenario::lesson::Lang;
use slotscope::scenario::{self, load};
use slotscope::trace::{Fact, HostId, Level};
use slotscope::tui::lesson::{Class, Stage};
use slotscope::tui::model::{Row, merged};
use slotscope::tui::panel::Panel;
use slotscope::tui::theme::{Depth, Theme};
use slotscope::tui::{Model, Msg, update};
use slotscope::world::World;
use slotscope::world::probe::messages::{flights, ticks};
use slotscope::world::probe::view::{Observer, Process};

use super::{draw, rows, settle, type_keys};

const CHAPTER: &str = "@/cluster/chapter-cluster.toml";

fn play(file: &str) -> Model {
    let s = load(Path::new(file)).expect("a scenario of the program");
    let theme = Theme::new(Depth::Sixteen);
    let mut m = Model::new(Arc::clone(&s.plan), s.seed, Some(s.script.end), theme, (120, 40));
    m.source = scenario::source(Path::new(file)).ok();
    settle(&mut m);
    m
}

fn go(m: &mut Model, ms: u64) {
    m.seek(m.timeline().formed_at().expect("formed") + Dur::ms(ms));
    settle(m);
}

fn line(m: &mut Model, line: &str) {
    update(m, Msg::Line(line.into()));
    settle(m);
}

fn key(m: &mut Model, code: KeyCode) {
    update(m, Msg::Term(TermEvent::Key(KeyEvent::from(code))));
    settle(m);
}

#[test]
fn a_fork_keeps_both_futures_and_saves_as_the_same_run() {
    let mut m = play(CHAPTER);
    go(&mut m, 30_000);
    let old_record = m.record().len();
    go(&mut m, 11_000);
    line(&mut m, "kill n5");
    go(&mut m, 30_000);
    assert_eq!(m.futures.len(), 2);
    type_keys(&mut m, "|");
    assert_eq!(m.panel, Panel::Futures);
    let other = m.compared().expect("the other future");
    assert_eq!(other.now(), m.now(), "aligned on time");
    assert!(other.record().len() >= old_record, "what was known of it is kept");
    let n5 = HostId(4);
    assert_eq!(
        (other.world().process(n5), m.timeline().world().process(n5)),
        (Process::Up, Process::Stopped)
    );
    let rows_of_both = merged(other.record(), m.record(), |e| e.fact.level() == Level::Headline);
    let first = rows_of_both.iter().find(|r| !matches!(r, Row::Both(..))).expect("a difference");
    let Row::Right(i) = *first else { panic!("the first difference is what was done: {first:?}") };
    assert_eq!((m.record()[i].host, &m.record()[i].fact), (n5, &Fact::Killed));
    let text = rows(&draw(&m)).join("\n");
    assert!(
        text.contains("as written") && text.contains("kill n5") && text.contains("they part at +11.0000")
    );

    // Saved, it is a scenario that makes this run.
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("forked.toml");
    line(&mut m, &format!("save {}", file.display()));
    let saved = load(&file).expect("what was saved is a scenario");
    let mut straight = World::new(Arc::clone(&saved.plan), m.seed, Level::Headline);
    straight.run_until(m.now());
    assert_eq!(straight.trace.digest, m.timeline().world().trace.digest);

    // And back to the other.
    type_keys(&mut m, "X");
    assert_eq!(m.timeline().world().process(n5), Process::Up);
    type_keys(&mut m, "X");
    assert_eq!(m.timeline().world().process(n5), Process::Stopped);
}

/// In the first lesson, and in the first of a cluster: at 11 s something is killed that was not, with the keys of the
/// lesson's screen; both futures are seen, and what is saved runs to the same digest.
#[test]
fn a_lesson_forks_and_saves_as_the_same_run() {
    for (name, victim) in [("01-one-node", "n1"), ("02-architecture", "n5")] {
        let s = scenario::library::open(Path::new(name)).expect("a lesson");
        let file = scenario::library::find(name).expect("a lesson of the program");
        let theme = Theme::new(Depth::Sixteen);
        let mut c = Class::new(&s, s.seed, 23, Lang::En, theme, (120, 40)).expect("a lesson");
        c.model.source = scenario::source(Path::new(&file)).ok();
        let finish = |c: &mut Class| {
            while c.model.is_working() {
                c.update(Msg::Work(10_000));
            }
            c.update(Msg::Present);
        };
        let press = |c: &mut Class, code: KeyCode| {
            c.update(Msg::Term(TermEvent::Key(KeyEvent::from(code))));
            finish(c);
        };
        let write = |c: &mut Class, text: &str| text.chars().for_each(|x| press(c, KeyCode::Char(x)));
        finish(&mut c);
        press(&mut c, KeyCode::Enter);
        // To the end of the run, past the questions.
        for _ in 0..10_000 {
            match c.stage {
                Stage::Watch => {
                    c.update(Msg::Tick(Dur::ms(100)));
                    finish(&mut c);
                }
                Stage::Ask(_) => press(&mut c, KeyCode::Esc),
                Stage::Known(_) => press(&mut c, KeyCode::Enter),
                _ => break,
            }
        }
        assert_eq!(c.stage, Stage::Free, "{name}");
        write(&mut c, "g11");
        press(&mut c, KeyCode::Enter);
        assert_eq!(c.now(), Dur::secs(11));
        write(&mut c, &format!(":kill {victim}"));
        press(&mut c, KeyCode::Enter);
        press(&mut c, KeyCode::Esc);
        write(&mut c, "g14");
        press(&mut c, KeyCode::Enter);
        press(&mut c, KeyCode::Char('|'));
        let mut terminal =
            ratatui::Terminal::new(ratatui::backend::TestBackend::new(120, 40)).expect("memory");
        terminal.draw(|frame| c.draw(frame)).expect("memory");
        let text = rows(terminal.backend().buffer()).join("\n");
        let parted = text.contains("as written") && text.contains("they part at +11.0000");
        assert!(parted && text.contains(&format!("kill {victim}")), "{name}:\n{text}");
        let other = c.model.compared().expect("the other future");
        assert_eq!(other.now(), c.model.now(), "{name}: aligned on time");
        let host = c.model.timeline().world().plan.nodes.iter().position(|n| n.name == victim);
        let host = HostId(host.expect("the node") as u32);
        assert_eq!(other.world().process(host), Process::Up, "{name}");
        assert_eq!(c.model.timeline().world().process(host), Process::Stopped, "{name}");

        let dir = tempfile::tempdir().expect("a folder");
        let saved = dir.path().join("forked.toml");
        c.update(Msg::Line(format!("save {}", saved.display())));
        let saved = load(&saved).unwrap_or_else(|e| panic!("{name}: {:?}: {e}", c.model.note));
        let mut straight = World::new(Arc::clone(&saved.plan), saved.seed, Level::Headline);
        straight.run_until(c.model.now());
        assert_eq!(straight.trace.digest, c.model.timeline().world().trace.digest, "{name}");
    }
}

#[test]
fn undo_goes_to_the_moment_before() {
    let mut m = play(CHAPTER);
    go(&mut m, 2_000);
    line(&mut m, "pause n2");
    let at = m.timeline().deeds()[0].0;
    go(&mut m, 4_000);
    key(&mut m, KeyCode::Backspace);
    assert_eq!(m.now(), SimTime(at.0 - 1));
    assert_eq!(m.timeline().world().process(HostId(1)), Process::Up);
    // Another deed here takes its place.
    line(&mut m, "kill n3");
    go(&mut m, 4_000);
    assert_eq!(m.timeline().deeds().len(), 1);
    assert_eq!(m.timeline().world().process(HostId(1)), Process::Up);
}

#[test]
fn the_console_talks_to_nodes_and_to_redis_cli() {
    let mut m = play(CHAPTER);
    type_keys(&mut m, ":7003> cluster my");
    key(&mut m, KeyCode::Tab);
    key(&mut m, KeyCode::Enter);
    let said = |m: &Model| m.transcript().into_iter().map(|(_, _, l)| l).collect::<Vec<_>>().join("\n");
    assert!(said(&m).contains("n4> CLUSTER MYID"), "{}", said(&m));
    let id = m.timeline().world().node_id(HostId(3)).expect("an id");
    let name = m.timeline().world().names.node_name(id).to_string();
    assert!(said(&m).contains(&name), "{}", said(&m));
    line(&mut m, "redis-cli --cluster check {n1}");
    go(&mut m, 1_500);
    assert!(said(&m).contains("[OK] All 16384 slots covered"), "{}", said(&m));
    line(&mut m, "frobnicate n1");
    assert!(said(&m).contains("unknown command"), "{}", said(&m));
    line(&mut m, "kill n9");
    assert!(m.note.as_ref().is_some_and(|n| n.contains("no node `n9`")), "{:?}", m.note);
    let steps = m.steps_text();
    assert!(steps.contains("do.command = { node = \"n4\", run = \"CLUSTER MYID\" }"), "{steps}");
}

#[test]
fn jumps_find_packets_ticks_disagreements_and_beliefs() {
    let mut m = play(CHAPTER);
    go(&mut m, 3_000);
    let begin = m.now();
    let near = flights(m.timeline(), begin, begin + Dur::secs(1));
    let first = near.iter().filter_map(|f| f.read).filter(|t| *t > begin).min().expect("a packet");
    type_keys(&mut m, "r");
    assert_eq!(m.now(), first);
    type_keys(&mut m, "rrRR");
    assert_eq!(m.now(), first, "back and forth");
    let tick = ticks(m.timeline(), m.now(), m.now() + Dur::secs(1))[0];
    type_keys(&mut m, "c");
    assert_eq!(m.now(), tick.at);
    // The first disagreement is the first suspicion; then beliefs differ.
    type_keys(&mut m, "d");
    let what = |m: &Model| m.record()[m.current().expect("an event")].fact.clone();
    assert!(matches!(what(&m), Fact::Pfail { .. }), "{:?}", what(&m));
    assert!(m.timeline().world().beliefs().differ_about(0));
    let doubted = m.now();
    go(&mut m, 30_000);
    let believer = m.record().iter().find(|e| e.at == doubted).expect("it").host;
    let name = m.host_name(believer).to_string();
    line(&mut m, &format!("when {name} n1 ok"));
    assert_eq!(m.now(), SimTime(doubted.0 - 1));
    go(&mut m, 30_000);
    m.observer = Observer::Node(believer);
    type_keys(&mut m, "1yy");
    assert_eq!(m.now(), doubted);
    type_keys(&mut m, "bnnn'\"");
    assert_eq!(m.now(), doubted, "its bookmark");
}

#[test]
fn lost_writes_are_found() {
    let mut m = play("@/incidents/partition-without-min-replicas.toml");
    // All of the run is known already, and nothing of it is counted.
    type_keys(&mut m, "$0u");
    let at = m.now();
    let l = m.accounts.at(at).expect("a ledger");
    assert!(l.lost > 0, "{l:?}");
    m.show_panel(Panel::Writes);
    settle(&mut m);
    let text = rows(&draw(&m)).join("\n");
    assert!(text.contains("lost") && text.contains("kept by"), "{text}");
    type_keys(&mut m, "0U");
    assert!(m.note.is_some(), "nothing before the beginning");
}
