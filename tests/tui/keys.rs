//! What keys and the mouse do, on a real run.

use std::path::Path;
use std::sync::Arc;

use ratatui::crossterm::event::{
    Event as TermEvent, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use slotscope::base::{Dur, SimTime};
use slotscope::scenario::load;
use slotscope::trace::{Fact, HostId, Level};
use slotscope::tui::panel::Panel;
use slotscope::tui::theme::{Depth, Theme};
use slotscope::tui::{Model, Msg, layout, press, update};
use slotscope::world::World;
use slotscope::world::probe::view::{HealthLevel, Observer, Process, SlotState};

use super::{draw, rows, settle, type_keys};

fn chapter() -> Model {
    let s = load(Path::new("@/cluster/chapter-cluster.toml")).expect("a scenario of the program");
    let theme = Theme::new(Depth::Sixteen);
    let mut m = Model::new(Arc::clone(&s.plan), s.seed, Some(s.script.end), theme, (120, 40));
    settle(&mut m);
    m
}

fn key(m: &mut Model, code: KeyCode, held: KeyModifiers) {
    update(m, Msg::Term(TermEvent::Key(KeyEvent::new(code, held))));
    settle(m);
}

/// Since formation.
fn now(m: &Model) -> Dur {
    m.now().since(m.timeline().formed_at().expect("formed"))
}

#[test]
fn it_begins_when_the_cluster_is_formed_and_healthy() {
    let m = chapter();
    assert_eq!(now(&m), Dur::ZERO);
    assert_eq!(m.shot.health.level, HealthLevel::Healthy);
    let served: u32 = m.shot.slots.iter().map(|r| u32::from(r.last - r.first) + 1).sum();
    assert_eq!(served, 16384);
    assert!(m.shot.slots.iter().all(|r| r.state == SlotState::Served));
}

#[test]
fn f_finds_the_kill_then_the_failure_then_the_election() {
    let mut m = chapter();
    type_keys(&mut m, "f");
    assert_eq!(now(&m), Dur::secs(5), "the kill of the scenario");
    assert_eq!(m.shot.nodes[0].process, Process::Stopped);
    assert_eq!(m.shot.health.level, HealthLevel::Unhealthy, "in truth");
    type_keys(&mut m, "vv");
    assert_eq!(m.observer, Observer::Node(HostId(1)));
    assert_eq!(m.shot.health.level, HealthLevel::Healthy, "n2 does not know yet");
    type_keys(&mut m, "f");
    let what = |m: &Model| m.record()[m.current().expect("an event")].fact.clone();
    assert!(matches!(what(&m), Fact::FailQuorum { .. }), "{:?}", what(&m));
    while !matches!(what(&m), Fact::Promoted { .. }) {
        type_keys(&mut m, "f");
    }
    assert!(m.lanes.failovers.iter().any(|f| f.victim == HostId(0) && f.won.is_some()));
}

/// As a node sees it, the list has what that node did, heard and decided, and nothing of what it cannot know.
#[test]
fn the_events_are_those_of_the_observer() {
    let mut m = chapter();
    type_keys(&mut m, "$");
    let all = m.listed.len();
    m.observer = Observer::Node(HostId(2));
    type_keys(&mut m, "z");
    assert!(m.listed.len() > 3 && m.listed.len() < all, "{} of {all}", m.listed.len());
    let record = m.record();
    assert!(
        m.listed.iter().all(|&i| record[i].host == HostId(2) || matches!(record[i].fact, Fact::Say { .. }))
    );
    assert!(
        m.listed
            .iter()
            .any(|&i| matches!(record[i].fact, Fact::FailQuorum { .. } | Fact::FailMessage { .. }))
    );
    assert!(!m.listed.iter().any(|&i| matches!(record[i].fact, Fact::Killed)), "nobody tells n3 of the kill");
    assert!(rows(&draw(&m)).join("\n").contains("of n3"));
    type_keys(&mut m, "t");
    assert_eq!(m.listed.len(), all);
}

#[test]
fn going_back_shows_what_going_forward_showed() {
    let mut m = chapter();
    type_keys(&mut m, "nnnnnn");
    let (t, shot) = (m.now(), m.shot.clone());
    type_keys(&mut m, "$0");
    assert_eq!(now(&m), Dur::ZERO);
    m.seek(t);
    settle(&mut m);
    assert_eq!(m.shot, shot);
}

#[test]
fn looking_changes_nothing() {
    let mut m = chapter();
    type_keys(&mut m, "fvvffpp,.lozx/K");
    key(&mut m, KeyCode::Esc, KeyModifiers::NONE);
    type_keys(&mut m, "$");
    let world = m.timeline().world();
    let mut straight = World::new(world.plan.clone(), world.seed, Level::Headline);
    straight.run_until(m.now());
    assert_eq!(world.trace.digest, straight.trace.digest);
}

#[test]
fn steps_go_from_event_to_event_and_back() {
    let mut m = chapter();
    type_keys(&mut m, "f");
    let mut visited = vec![m.current().expect("an event")];
    for _ in 0..12 {
        key(&mut m, KeyCode::Right, KeyModifiers::NONE);
        visited.push(m.current().expect("an event"));
    }
    assert!(visited.windows(2).all(|w| w[0] < w[1]), "{visited:?}");
    for &i in visited.iter().rev().skip(1) {
        key(&mut m, KeyCode::Left, KeyModifiers::NONE);
        assert_eq!(m.current(), Some(i));
        assert_eq!(m.now(), m.record()[i].at);
    }
}

#[test]
fn play_passes_time_at_its_speed() {
    let mut m = chapter();
    type_keys(&mut m, "+ ");
    for _ in 0..60 {
        update(&mut m, Msg::Tick(Dur::us(16_667)));
        settle(&mut m);
    }
    assert_eq!(now(&m), Dur::us(2 * 60 * 16_667));
    type_keys(&mut m, " ");
    let t = m.now();
    update(&mut m, Msg::Tick(Dur::secs(1)));
    settle(&mut m);
    assert_eq!(m.now(), t, "paused");
    // The slowest: a thousandth, whose remainders add up.
    type_keys(&mut m, "------------ ");
    for _ in 0..30 {
        update(&mut m, Msg::Tick(Dur::us(16_667)));
        settle(&mut m);
    }
    assert_eq!(m.now().since(t), Dur::us(30 * 16_667 / 1000));
}

#[test]
fn a_kill_by_hand_opens_another_future() {
    let mut m = chapter();
    type_keys(&mut m, "$0");
    let record = m.record().len();
    type_keys(&mut m, "1K");
    assert!(m.record().len() < record);
    assert_eq!(m.shot.nodes[0].process, Process::Stopped);
    type_keys(&mut m, "$");
    assert!(m.lanes.failovers.iter().any(|f| f.victim == HostId(0) && f.winner.is_some()));
    type_keys(&mut m, "2K");
    assert_eq!(m.shot.nodes[1].process, Process::Stopped);
    type_keys(&mut m, "K");
    assert_eq!(m.shot.nodes[1].process, Process::Starting);
    type_keys(&mut m, "3S");
    assert_eq!(m.shot.nodes[2].process, Process::Paused);
    type_keys(&mut m, "S");
    assert_eq!(m.shot.nodes[2].process, Process::Up);
}

#[test]
fn search_and_filters_choose_what_is_listed() {
    let mut m = chapter();
    type_keys(&mut m, "$");
    let all = m.listed.len();
    type_keys(&mut m, "/votes");
    key(&mut m, KeyCode::Enter, KeyModifiers::NONE);
    assert!(!m.listed.is_empty() && m.listed.len() < all);
    assert!(m.listed.iter().all(|&i| m.words(&m.record()[i]).to_lowercase().contains("votes")));
    key(&mut m, KeyCode::Esc, KeyModifiers::NONE);
    assert_eq!(m.listed.len(), all);
    type_keys(&mut m, "5o");
    assert!(m.listed.len() < all);
    type_keys(&mut m, "o");
    assert_eq!(m.listed.len(), all);
    type_keys(&mut m, "l");
    assert!(m.listed.len() > all);
}

#[test]
fn going_to_a_time_needs_a_time() {
    let mut m = chapter();
    type_keys(&mut m, "g12.5");
    key(&mut m, KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(now(&m), Dur::ms(12_500));
    type_keys(&mut m, "gsoon");
    key(&mut m, KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(now(&m), Dur::ms(12_500));
    assert!(m.note.is_some());
    // `q` in a line of text is a letter.
    type_keys(&mut m, "/q");
    assert!(!m.quit);
    key(&mut m, KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!(m.quit);
}

#[test]
fn the_mouse_goes_to_times_nodes_and_events() {
    let mut m = chapter();
    type_keys(&mut m, "$0");
    let a = layout::areas(&m);
    let click = |m: &mut Model, x: u16, y: u16| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let mouse = MouseEvent { kind, column: x, row: y, modifiers: KeyModifiers::NONE };
        update(m, Msg::Term(TermEvent::Mouse(mouse)));
        settle(m);
    };
    click(&mut m, a.node_rows.x + 2, a.node_rows.y + 3);
    assert_eq!(m.node, 3);
    assert_eq!(now(&m), Dur::ZERO, "a name is no time");
    click(&mut m, a.chart.x + a.chart.width / 2, a.chart.y);
    let half = Dur(m.end().since(m.timeline().formed_at().expect("formed")).0 / 2);
    assert!(now(&m).0.abs_diff(half.0) < 1_000_000, "{}", now(&m));
    let a = layout::areas(&m);
    click(&mut m, a.log_rows.x + 20, a.log_rows.y);
    assert_eq!(m.current(), Some(m.listed[a.first_event]));
}

#[test]
fn the_mouse_chooses_panels_and_slots() {
    let mut m = chapter();
    let click = |m: &mut Model, x: u16, y: u16| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let mouse = MouseEvent { kind, column: x, row: y, modifiers: KeyModifiers::NONE };
        update(m, Msg::Term(TermEvent::Mouse(mouse)));
        settle(m);
    };
    let tab = |m: &Model, p: Panel| {
        layout::areas(m).tabs.iter().find(|(q, _)| *q == p).map(|(_, r)| *r).expect("its tab")
    };
    let r = tab(&m, Panel::Topology);
    click(&mut m, r.x + 1, r.y);
    assert_eq!(m.panel, Panel::Topology);
    assert!(rows(&draw(&m)).join("\n").contains("Links"));
    // The last cell of the slot map.
    let slots = layout::areas(&m).slots;
    click(&mut m, slots.right() - 2, slots.bottom() - 1);
    assert_eq!(m.panel, Panel::Slot);
    assert!(m.slot > 16_300, "{}", m.slot);
    assert!(rows(&draw(&m)).join("\n").contains(&format!("Slot {}", m.slot)));
    key(&mut m, KeyCode::Esc, KeyModifiers::NONE);
    assert_eq!(m.panel, Panel::Events);
    // By its menu, and a key's slot.
    type_keys(&mut m, "ms");
    assert_eq!(m.panel, Panel::Slot);
    type_keys(&mut m, "sfoo\n");
    assert_eq!(m.slot, 12182);
}

#[test]
fn the_screen_may_shrink_to_nothing_with_any_panel_open() {
    let mut m = chapter();
    type_keys(&mut m, "f");
    for p in Panel::of(&m) {
        m.show_panel(p);
        for (w, h) in [(200, 60), (80, 24), (59, 17), (20, 5), (1, 1), (400, 3), (61, 200)] {
            update(&mut m, Msg::Term(TermEvent::Resize(w, h)));
            settle(&mut m);
            assert_eq!(rows(&draw(&m)).len(), usize::from(h));
        }
    }
}

#[test]
fn lanes_are_as_the_observer_sees_them() {
    let mut m = chapter();
    type_keys(&mut m, "$");
    let failed = |m: &Model| m.seen[0].iter().find(|(_, s)| s.failed_by > 0).map(|(at, _)| *at);
    let mut times = Vec::new();
    for node in "23456".chars() {
        type_keys(&mut m, &format!("{node}\n"));
        times.push(failed(&m).expect("it learns of the failure"));
    }
    times.sort_unstable();
    assert!(times.windows(2).any(|w| w[0] < w[1]), "not all at once");
    // The dead one sees nothing while it is dead, and then with its own eyes.
    type_keys(&mut m, "1\n");
    assert!(m.seen[1].iter().any(|(_, s)| s.process == Process::Off));
}

#[test]
fn every_key_at_any_moment_leaves_a_screen() {
    let all =
        "nfp F$0zzxatvvo?w/x\u{1b}lKSK1 23+-=\\,.<>gl9wwh][]mb]Z]]!k]]eEdDrRcCybb'\"X||PsZ]uU:kill n2\n";
    let mut m = chapter();
    for (i, c) in all.chars().cycle().take(118).enumerate() {
        press(&mut m, c);
        if i % 3 == 0 {
            key(&mut m, KeyCode::Esc, KeyModifiers::NONE);
        }
        update(&mut m, Msg::Tick(Dur::ms(16)));
        update(&mut m, Msg::Work(200));
        update(&mut m, Msg::Present);
        assert_eq!(rows(&draw(&m)).len(), 40);
    }
}

#[test]
fn before_formation_there_is_something_to_see_too() {
    let mut m = chapter();
    m.seek(SimTime(500_000));
    settle(&mut m);
    let text = rows(&draw(&m)).join("\n");
    assert!(text.contains("unhealthy"), "{text}");
    for i in 1..=6 {
        assert!(text.contains(&format!("n{i}")), "{text}");
    }
}
