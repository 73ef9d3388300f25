//! A learner goes through lessons with the keys that the screen names.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent};
use rayon::prelude::*;
use slotscope::scenario::lesson::exam::Truth;
use slotscope::scenario::lesson::{Answer, Lang};
use slotscope::scenario::library;
use slotscope::tui::Msg;
use slotscope::tui::lesson::{Class, Stage};
use slotscope::tui::theme::{Depth, Theme};

use super::rows;

fn class(name: &str, lang: Lang, size: (u16, u16)) -> Class {
    let s = library::open(std::path::Path::new(name)).expect("a lesson");
    let mut c = Class::new(&s, s.seed, 23, lang, Theme::new(Depth::True), size).expect("a lesson");
    settle(&mut c);
    c
}

fn settle(c: &mut Class) {
    while c.model.is_working() {
        c.update(Msg::Work(10_000));
    }
    c.update(Msg::Present);
}

fn press(c: &mut Class, code: KeyCode) {
    c.update(Msg::Term(Event::Key(KeyEvent::from(code))));
    settle(c);
}

/// The run plays until the lesson stops it.
fn play(c: &mut Class) {
    for _ in 0..10_000 {
        if c.stage != Stage::Watch {
            return;
        }
        c.update(Msg::Tick(slotscope::base::Dur::ms(100)));
        settle(c);
    }
    panic!("the run does not stop: {:?} at {}", c.stage, c.now());
}

fn screen(c: &Class) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(c.size.0, c.size.1)).expect("a terminal in memory");
    terminal.draw(|frame| c.draw(frame)).expect("a terminal in memory");
    rows(terminal.backend().buffer())
}

/// What the lesson itself draws: its box, or else its panel. The player around it has pictures of its own.
fn told(c: &Class) -> String {
    let rows: Vec<Vec<char>> = screen(c).iter().map(|row| row.chars().collect()).collect();
    let corner = |row: &Vec<char>| row.iter().position(|&x| x == '┌').filter(|_| row.contains(&'┐'));
    if let Some((top, left)) = rows.iter().enumerate().find_map(|(y, row)| Some((y, corner(row)?))) {
        let bottom = rows.iter().rposition(|row| row.get(left) == Some(&'└')).expect("the box ends");
        let right = rows[top].iter().position(|&x| x == '┐').expect("the box ends");
        let part = |row: &Vec<char>| row.iter().skip(left).take(right + 1 - left).collect::<String>();
        return rows[top..=bottom].iter().map(part).collect::<Vec<_>>().join("\n");
    }
    let (columns, below) = c.model.reserved;
    let (from, left) = match columns {
        0 => (rows.len() - usize::from(below), 0),
        n => (0, usize::from(c.size.0 - n)),
    };
    let part = |row: &Vec<char>| row.iter().skip(left).collect::<String>();
    rows[from..].iter().map(part).collect::<Vec<_>>().join("\n")
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
    let s = library::lessons()
        .into_iter()
        .find(|(_, s)| s.lesson.as_ref().is_some_and(|l| l.order == c.lesson.order));
    let s = s.expect("the lesson").1;
    let truth = c.lesson.truths(&s.plan, s.seed)[i].expect("an answer");
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
        for stage in
            [Stage::Goal, Stage::Watch, Stage::Ask(2), Stage::Known(0), Stage::Exercise, Stage::Summary]
        {
            c.stage = stage;
            assert_eq!(screen(&c).len(), usize::from(h));
        }
    }
}
