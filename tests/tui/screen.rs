//! Pictures of the screen.

use ratatui::style::{Color, Modifier};
use slotscope::scenario::lesson::Lang;
use slotscope::trace::HostId;
use slotscope::tui::model::Details;
use slotscope::tui::panel::Panel;
use slotscope::tui::theme::{Depth, Palette, Theme};
use slotscope::tui::{Model, layout, picture as svg, press};
use slotscope::world::probe::view::Observer;

use super::{draw, picture, rows, settle, story, type_keys};

/// n3's view while n1 is suspected.
fn suspected(size: (u16, u16), depth: Depth) -> Model {
    let mut m = story::at(4750, size, depth);
    m.observer = Observer::Node(HostId(2));
    m.shot = story::as_n3_sees_it();
    m
}

#[test]
fn the_screen_at_three_sizes() {
    for (w, h) in [(80, 24), (120, 40), (200, 60)] {
        let m = suspected((w, h), Depth::True);
        insta::assert_snapshot!(format!("suspected_{w}x{h}"), picture(&draw(&m)));
    }
}

#[test]
fn the_screen_and_its_boxes_in_chinese() {
    for (w, h) in [(80, 24), (120, 40), (200, 60)] {
        let mut m = suspected((w, h), Depth::Mono);
        m.lang = Lang::Zh;
        insta::assert_snapshot!(format!("chinese_{w}x{h}"), rows(&draw(&m)).join("\n"));
        for (key, name) in [('?', "help"), ('m', "panels")] {
            press(&mut m, key);
            let text = rows(&draw(&m)).join("\n");
            press(&mut m, '\u{1b}');
            if w == 120 {
                insta::assert_snapshot!(format!("chinese_{name}"), text);
            }
        }
    }
}

/// The panels in Chinese: nothing but Redis's own words and the facts of the run is left in English.
#[test]
fn each_panel_in_chinese() {
    let mut pictures = Vec::new();
    for p in Panel::ALL {
        let mut m = panel(p, (100, 40), Depth::Mono);
        m.lang = Lang::Zh;
        m.expanded = true;
        pictures.push(rows(&draw(&m)).join("\n"));
    }
    insta::assert_snapshot!("chinese_each_panel", pictures.join("\n"));
}

/// A panel with what the story has for it; the story has no sentinels and no clients of its own.
fn panel(panel: Panel, size: (u16, u16), depth: Depth) -> Model {
    let mut m = suspected(size, depth);
    m.node = 2;
    m.show_panel(panel);
    settle(&mut m);
    m.shot = story::as_n3_sees_it();
    let failovers = std::mem::take(&mut m.details.failovers);
    m.details = Details { failovers, ..story::details() };
    m
}

#[test]
fn each_panel_at_three_sizes() {
    for p in Panel::ALL.into_iter().filter(|p| *p != Panel::Events) {
        for (w, h) in [(80, 24), (120, 40), (200, 60)] {
            let m = panel(p, (w, h), Depth::True);
            insta::assert_snapshot!(format!("{}_{w}x{h}", p.name().to_lowercase()), picture(&draw(&m)));
        }
    }
}

#[test]
fn each_panel_draws_at_every_size_and_without_colour() {
    for p in Panel::ALL {
        for (w, h) in [(60, 18), (73, 21), (99, 33), (149, 34), (150, 35), (260, 100)] {
            let mut m = panel(p, (w, h), Depth::Mono);
            for expanded in [false, true] {
                m.expanded = expanded;
                let b = draw(&m);
                assert!(b.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset), "{p:?}");
            }
        }
    }
}

#[test]
fn sixteen_colours_and_menus() {
    let m = panel(Panel::Beliefs, (120, 40), Depth::Sixteen);
    insta::assert_snapshot!("beliefs_16_colours", picture(&draw(&m)));
    for (key, name) in [('m', "panels"), ('!', "acts"), ('P', "steps")] {
        let mut m = suspected((80, 24), Depth::Mono);
        press(&mut m, key);
        insta::assert_snapshot!(format!("{name}_80x24"), rows(&draw(&m)).join("\n"));
    }
}

/// Without colours, in sixteen, and by brightness alone: the screen, the beliefs, the links and the votes.
#[test]
fn the_main_screens_in_every_mode_of_colours() {
    let modes = [
        ("no_colour", Theme::new(Depth::Mono)),
        ("16_colours", Theme::new(Depth::Sixteen)),
        ("brightness", Theme::new(Depth::True).with(Palette::Brightness)),
    ];
    for (name, theme) in modes {
        let mut pictures = Vec::new();
        for p in [Panel::Events, Panel::Beliefs, Panel::Topology, Panel::Votes] {
            let mut m = panel(p, (100, 36), theme.depth);
            m.theme = theme;
            let b = draw(&m);
            if theme.palette == Palette::Brightness {
                let hue =
                    |c: Color| matches!(c, Color::Rgb(r, g, b) if r.max(g).max(b) - r.min(g).min(b) > 15);
                assert!(!b.content.iter().any(|c| hue(c.fg) || hue(c.bg)), "{p:?}");
            }
            pictures.push(picture(&b));
        }
        insta::assert_snapshot!(format!("modes_{name}"), pictures.join("\n"));
    }
}

#[test]
fn t_goes_through_the_palettes() {
    let mut m = suspected((120, 40), Depth::True);
    let palettes: Vec<Palette> = (0..3)
        .map(|_| {
            press(&mut m, 'T');
            assert!(m.note.as_ref().is_some_and(|n| n.starts_with("colours")), "{:?}", m.note);
            m.theme.palette
        })
        .collect();
    assert_eq!(palettes, [Palette::Brightness, Palette::Plain, Palette::OkabeIto]);
}

#[test]
fn a_part_of_the_screen_can_be_left_to_others() {
    let mut m = suspected((120, 40), Depth::True);
    m.reserved = (40, 6);
    settle(&mut m);
    let b = draw(&m);
    let right = (80..120).flat_map(|x| (0..40).map(move |y| (x, y)));
    let below = (0..120).flat_map(|x| (34..40).map(move |y| (x, y)));
    assert!(right.chain(below).all(|p| b[p].symbol() == " "));
}

#[test]
fn the_story_after_its_failover() {
    let m = story::at(6000, (120, 40), Depth::Sixteen);
    insta::assert_snapshot!("after_failover_16_colours", picture(&draw(&m)));
}

#[test]
fn help_and_causes_lie_over_the_screen() {
    let mut m = suspected((120, 40), Depth::Mono);
    press(&mut m, '?');
    insta::assert_snapshot!("help_120x40", rows(&draw(&m)).join("\n"));
    let mut m = story::at(6000, (80, 24), Depth::Mono);
    type_keys(&mut m, "pppw");
    insta::assert_snapshot!("why_80x24", rows(&draw(&m)).join("\n"));
}

#[test]
fn a_terminal_too_small_says_so() {
    for size in [(59, 24), (80, 17), (20, 5), (1, 1)] {
        let text = rows(&draw(&suspected(size, Depth::True))).join("\n");
        assert!(size.0 < 40 || text.contains("needs 60 x 18"), "{size:?}: {text}");
    }
    let text = rows(&draw(&suspected((60, 18), Depth::True))).join("\n");
    assert!(text.contains("Slots") && text.contains("Events"), "{text}");
}

#[test]
fn every_size_draws() {
    for w in (60..260).step_by(31) {
        for h in (18..110).step_by(13) {
            for keys in ["", "?", "w", "g", "/"] {
                let mut m = suspected((w, h), Depth::Indexed);
                keys.chars().for_each(|c| press(&mut m, c));
                draw(&m);
            }
        }
    }
}

#[test]
fn without_colour_no_cell_has_one() {
    let mut m = suspected((120, 40), Depth::Mono);
    for keys in ["", "w", "w?"] {
        keys.chars().for_each(|c| press(&mut m, c));
        let b = draw(&m);
        assert!(b.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset), "{keys:?}");
    }
}

#[test]
fn what_colours_say_glyphs_say_too() {
    // Cells of the slot map that differ in colour differ in their glyphs.
    let m = suspected((120, 40), Depth::True);
    let (b, slots) = (draw(&m), layout::areas(&m).slots);
    let mut seen: Vec<(String, Color)> = Vec::new();
    let cells = slots.positions().map(|p| &b[p]);
    for cell in cells.filter(|c| "■▤▦▥▧▨▩□?×".contains(c.symbol())) {
        if let Some((_, fg)) = seen.iter().find(|(glyph, _)| glyph == cell.symbol()) {
            assert_eq!(*fg, cell.fg, "{}", cell.symbol());
        } else {
            seen.push((cell.symbol().to_string(), cell.fg));
        }
    }
    assert!(seen.len() >= 3, "{seen:?}");
}

#[test]
fn the_future_is_dim_and_the_playhead_stands_out() {
    let mut m = story::at(7500, (120, 40), Depth::Mono);
    settle(&mut m);
    let b = draw(&m);
    let chart = layout::areas(&m).chart;
    let reversed = chart.positions().filter(|p| b[*p].modifier.contains(Modifier::REVERSED)).count();
    assert_eq!(reversed, 6, "one cell of each lane");
}

#[test]
fn a_picture_is_the_same_each_time_and_whole() {
    let m = suspected((120, 36), Depth::True);
    let a = svg::picture(&m);
    assert_eq!(a, svg::picture(&m));
    assert!(a.starts_with("<svg ") && a.ends_with("</svg>\n"));
    assert!(a.contains(">suspected</text>") || a.contains("suspected"), "its words are text");
    assert!(a.contains("#56b4e9"), "its colours are the palette's");
}
