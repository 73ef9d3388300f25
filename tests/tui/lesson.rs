//! A learner goes through lessons with the keys that the screen names.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Rect;
use rayon::prelude::*;
use slotscope::scenario::lesson::exam::Truth;
use slotscope::scenario::lesson::{Answer, Lang};
use slotscope::scenario::library;
use slotscope::tui::Msg;
use slotscope::tui::lesson::{Class, Stage};
use slotscope::tui::theme::{Depth, Palette, Theme};

use super::{picture, rows};
use crate::lessons::taught;

fn class(name: &str, lang: Lang, size: (u16, u16)) -> Class {
    let s = library::open(std::path::Path::new(name)).expect("a lesson");
    let mut c = Class::new(&s, s.seed, 23, lang, Theme::new(Depth::True), size).expect("a lesson");
    settle(&mut c);
    c
}

pub(super) fn settle(c: &mut Class) {
    while c.model.is_working() {
        c.update(Msg::Work(10_000));
    }
    c.update(Msg::Present);
}

pub(super) fn press(c: &mut Class, code: KeyCode) {
    c.update(Msg::Term(Event::Key(KeyEvent::from(code))));
    settle(c);
}

/// The run plays until the lesson stops it.
fn play(c: &mut Class) {
    for _ in 0..10_000 {
        if c.stage != Stage::Watch {
            return settle(c);
        }
        c.update(Msg::Tick(slotscope::base::Dur::ms(500)));
        while c.model.is_working() {
            c.update(Msg::Work(10_000));
        }
    }
    panic!("the run does not stop: {:?} at {}", c.stage, c.now());
}

fn drawn(c: &Class) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(c.size.0, c.size.1)).expect("a terminal in memory");
    terminal.draw(|frame| c.draw(frame)).expect("a terminal in memory");
    terminal.backend().buffer().clone()
}

fn screen(c: &Class) -> Vec<String> {
    rows(&drawn(c))
}

/// What the lesson itself draws: its box, or else its panel. The player around it has pictures of its own.
pub(super) fn part(c: &Class) -> Buffer {
    let b = drawn(c);
    let find = |symbol: &str| b.area.positions().find(|p| b[*p].symbol() == symbol);
    let of = match (find("┌"), find("┐"), find("└")) {
        (Some(from), Some(right), Some(below)) => {
            Rect::new(from.x, from.y, right.x + 1 - from.x, below.y + 1 - from.y)
        }
        _ => match c.model.reserved {
            (0, below) => Rect::new(0, c.size.1 - below, c.size.0, below),
            (columns, _) => Rect::new(c.size.0 - columns, 0, columns, c.size.1),
        },
    };
    let mut out = Buffer::empty(Rect::new(0, 0, of.width, of.height));
    for p in out.area.positions() {
        out[p] = b[(of.x + p.x, of.y + p.y)].clone();
    }
    out
}

fn told(c: &Class) -> String {
    rows(&part(c)).join("\n")
}

fn shows(c: &Class, text: &str) {
    let screen = screen(c).join("\n");
    // Wide characters are followed by an empty cell.
    let squeezed = screen.replace(' ', "");
    assert!(squeezed.contains(&text.replace(' ', "")), "no `{text}` in:\n{screen}");
}

/// Gives the right answer to the question of the moment, with the keys that the screen names.
fn answer(c: &mut Class) {
    let Stage::Ask(i) = c.stage else { panic!("{:?}", c.stage) };
    let lesson =
        taught().iter().find(|t| t.scenario.lesson.as_ref().is_some_and(|l| l.order == c.lesson.order));
    let truth = lesson.expect("the lesson").truths[i].expect("an answer");
    match (&c.lesson.predictions[i].answer, truth) {
        (Answer::Choice(_), Truth::Choice(n)) => {
            let digit = char::from_digit(n as u32 + 1, 10).expect("a digit");
            press(c, KeyCode::Char(digit));
        }
        (_, Truth::Number(n)) => {
            for digit in n.to_string().chars() {
                press(c, KeyCode::Char(digit));
            }
            press(c, KeyCode::Enter);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lesson_from_its_goal_to_its_summary_at_three_sizes() {
    for (lang, size) in [(Lang::En, (80, 24)), (Lang::Zh, (120, 40)), (Lang::En, (200, 60))] {
        let mut c = class("02-architecture", lang, size);
        let l = c.lesson.clone();
        shows(&c, l.title.get(lang));
        insta::assert_snapshot!(format!("lesson_goal_{}x{}", size.0, size.1), told(&c));
        press(&mut c, KeyCode::Enter);
        play(&mut c);
        assert_eq!((c.stage, c.now()), (Stage::Ask(0), l.predictions[0].at));
        shows(&c, "cluster_known_nodes");
        // The run stands still, and digits are an answer.
        answer(&mut c);
        play(&mut c);
        assert_eq!((c.stage, c.now()), (Stage::Known(0), l.predictions[0].until));
        shows(&c, if lang == Lang::En { "Right." } else { "答对了。" });
        insta::assert_snapshot!(format!("lesson_known_{}x{}", size.0, size.1), told(&c));
        press(&mut c, KeyCode::Enter);
        play(&mut c);
        assert_eq!(c.stage, Stage::Ask(1));
        press(&mut c, KeyCode::Char('1'));
        play(&mut c);
        shows(&c, if lang == Lang::En { "Not so." } else { "不对。" });
        press(&mut c, KeyCode::Char(' '));
        play(&mut c);
        assert_eq!(c.stage, Stage::Free);
        assert_eq!(c.score(), 1);
        press(&mut c, KeyCode::Char('L'));
        assert_eq!(c.stage, Stage::Exercise);
        press(&mut c, KeyCode::Char('V'));
        assert!(!c.passed && c.verdicts.iter().any(|v| !v.ok));
        assert_eq!(c.stage, Stage::Advice);
        press(&mut c, KeyCode::Enter);
        assert_eq!(c.stage, Stage::Exercise);
        press(&mut c, KeyCode::Char('H'));
        press(&mut c, KeyCode::Char('H'));
        insta::assert_snapshot!(format!("lesson_exercise_{}x{}", size.0, size.1), told(&c));
        // As the hint says: select n2, kill it.
        press(&mut c, KeyCode::Char('2'));
        press(&mut c, KeyCode::Char('K'));
        press(&mut c, KeyCode::Char('V'));
        assert_eq!((c.stage, c.passed), (Stage::Summary, true), "{:?}", c.verdicts);
        insta::assert_snapshot!(format!("lesson_summary_{}x{}", size.0, size.1), told(&c));
    }
}

#[test]
fn every_exercise_can_be_done_on_the_screen() {
    library::lessons().into_par_iter().for_each(|(name, s)| {
        let mut c =
            Class::new(&s, s.seed, 23, Lang::En, Theme::new(Depth::Mono), (80, 24)).expect("a lesson");
        settle(&mut c);
        press(&mut c, KeyCode::Enter);
        press(&mut c, KeyCode::Char('L'));
        for _ in 0..c.lesson.exercise.solution.len() {
            press(&mut c, KeyCode::Char('W'));
        }
        press(&mut c, KeyCode::Char('V'));
        assert!(c.passed, "{name}: {:?}", c.verdicts);
    });
}

/// The mouse goes through a lesson too: a click in a box goes on, on a choice it answers; the lanes are the player's.
#[test]
fn the_mouse_answers_and_goes_on() {
    let mut c = class("01-one-node", Lang::En, (80, 24));
    let click = |c: &mut Class, x: u16, y: u16| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        c.update(Msg::Term(Event::Mouse(MouseEvent {
            kind,
            column: x,
            row: y,
            modifiers: KeyModifiers::NONE,
        })));
        settle(c);
    };
    click(&mut c, 2, 1);
    assert_eq!(c.stage, Stage::Goal, "beside the box");
    let place = |c: &Class, text: &str| {
        let rows = screen(c);
        let y = rows.iter().position(|row| row.contains(text)).expect(text);
        (10, y as u16)
    };
    let (x, y) = place(&c, "enter begin  q leave    ");
    click(&mut c, x, y);
    assert_eq!(c.stage, Stage::Watch);
    play(&mut c);
    let at = c.now();
    let (x, y) = place(&c, "At 6 s somebody");
    click(&mut c, x, y);
    assert_eq!((c.stage, c.now()), (Stage::Ask(0), at), "the question is no answer, and time stands still");
    let (x, y) = place(&c, "No answer yet");
    click(&mut c, x, y);
    play(&mut c);
    assert_eq!((c.stage, c.replies[0].right), (Stage::Known(0), true));
    let (x, y) = place(&c, "enter go on");
    click(&mut c, x, y);
    assert_eq!(c.stage, Stage::Watch);
    let chart = slotscope::tui::layout::areas(&c.model).chart;
    click(&mut c, chart.x + 1, chart.y);
    assert!(c.now() < at, "the axis goes to a time");
}

#[test]
fn a_box_taller_than_the_screen_scrolls_to_its_last_line() {
    let mut c = class("02-architecture", Lang::En, (60, 18));
    c.stage = Stage::Summary;
    let last = c.lesson.commands.last().expect("a command").clone();
    let shown = |c: &Class| told(c).contains(&last);
    assert!(!shown(&c), "the box is taller than the screen");
    for _ in 0..40 {
        press(&mut c, KeyCode::Down);
    }
    assert!(shown(&c) && told(&c).contains("enter back"), "{}", told(&c));
    let bottom = c.scroll;
    press(&mut c, KeyCode::Up);
    assert_eq!(c.scroll + 1, bottom, "it stops at the last line");
}

#[test]
fn the_panel_draws_at_every_size() {
    let mut c = class("08-hash-tags", Lang::Zh, (80, 24));
    for (w, h) in [(20, 5), (60, 18), (60, 20), (79, 25), (169, 30), (170, 40), (260, 100)] {
        c.update(Msg::Term(Event::Resize(w, h)));
        for stage in [
            Stage::Goal,
            Stage::Watch,
            Stage::Ask(2),
            Stage::Known(0),
            Stage::Exercise,
            Stage::Advice,
            Stage::Summary,
        ] {
            c.stage = stage;
            assert_eq!(screen(&c).len(), usize::from(h));
        }
    }
}

/// Without colours, in sixteen, and by brightness alone: a question, an answer and the end of a lesson.
#[test]
fn a_lesson_in_every_mode_of_colours() {
    let modes = [
        ("no_colour", Theme::new(Depth::Mono)),
        ("16_colours", Theme::new(Depth::Sixteen)),
        ("brightness", Theme::new(Depth::True).with(Palette::Brightness)),
    ];
    for (name, theme) in modes {
        let mut c = class("02-architecture", Lang::En, (80, 24));
        c.model.theme = theme;
        press(&mut c, KeyCode::Enter);
        play(&mut c);
        let mut pictures = vec![picture(&part(&c))];
        answer(&mut c);
        play(&mut c);
        pictures.push(picture(&part(&c)));
        press(&mut c, KeyCode::Char('L'));
        press(&mut c, KeyCode::Char('V'));
        pictures.push(picture(&part(&c)));
        insta::assert_snapshot!(format!("lesson_{name}"), pictures.join("\n"));
    }
}
