//! Charts of a comparison: small multiples, one panel per metric, with the empirical distribution
//! function of both sides.
//!
//! Colours are blue and vermilion of Okabe and Ito ("Color Universal Design", 2008), which colour-blind
//! people tell apart; the recording is also dashed, so that colour is never alone.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::text::{label, number, p_value};
use crate::lab::compare::{Comparison, Kind, Row, Verdict};
use crate::lab::samples::Samples;
use crate::lab::stats;

/// An SVG page with a panel per compared metric of the variant; `None` if no metric has values on both
/// sides.
pub fn distributions(
    comparison: &Comparison,
    variant: &str,
    simulated: &Samples,
    recorded: &Samples,
) -> Option<String> {
    let values = |side: &Samples, metric: &str| -> Option<Vec<f64>> {
        let v = side.variants.get(variant)?.metrics.get(metric)?;
        (!v.is_empty()).then(|| stats::sorted(v))
    };
    let panels: Vec<Panel> = comparison
        .rows
        .iter()
        .filter(|r| r.variant == variant && r.kind == Kind::Value)
        .filter_map(|row| {
            Some(Panel {
                row,
                simulated: values(simulated, &row.metric)?,
                recorded: values(recorded, &row.metric)?,
            })
        })
        .collect();
    if panels.is_empty() {
        return None;
    }
    let rows = panels.len().div_ceil(COLUMNS);
    let size = (PANEL.0 * COLUMNS as u32 + 2 * MARGIN, HEAD + PANEL.1 * rows as u32 + MARGIN);
    let mut svg = String::new();
    draw(&mut svg, size, comparison, variant, &panels).expect("drawing into a string does not fail");
    Some(svg)
}

// ---- helpers ----

const COLUMNS: usize = 4;
const PANEL: (u32, u32) = (330, 230);
const HEAD: u32 = 92;
const MARGIN: u32 = 18;
/// Steps of a distribution function that are drawn at most: more cannot be seen.
const STEPS: usize = 400;

const SIMULATED: RGBColor = RGBColor(0x00, 0x72, 0xB2);
const RECORDED: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
const INK: RGBColor = RGBColor(0x22, 0x2A, 0x35);
const SOFT: RGBColor = RGBColor(0x6B, 0x74, 0x80);
const GRID: RGBColor = RGBColor(0xE6, 0xE9, 0xED);
const WRONG: RGBColor = RGBColor(0xFB, 0xEE, 0xE4);

struct Panel<'a> {
    row: &'a Row,
    simulated: Vec<f64>,
    recorded: Vec<f64>,
}

type Error<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(
    svg: &mut String,
    size: (u32, u32),
    comparison: &Comparison,
    variant: &str,
    panels: &[Panel<'_>],
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let page = SVGBackend::with_string(svg, size).into_drawing_area();
    page.fill(&WHITE)?;
    draw_head(&page, comparison, variant, size.0)?;
    for (i, panel) in panels.iter().enumerate() {
        let x = MARGIN as i32 + (i % COLUMNS) as i32 * PANEL.0 as i32;
        let y = HEAD as i32 + (i / COLUMNS) as i32 * PANEL.1 as i32;
        let area = page.clone().shrink((x + 4, y + 4), (PANEL.0 - 8, PANEL.1 - 8));
        draw_panel(&area, panel)?;
    }
    page.present()
}

fn draw_head<'a>(page: &Area<'a>, c: &Comparison, variant: &str, width: u32) -> Result<(), Error<'a>> {
    let title = match &c.source {
        Some(s) => format!("{} {variant}, simulated and recorded", s.scenario),
        None => format!("{variant}, simulated and recorded"),
    };
    let trials = c.trials.get(variant).copied().unwrap_or_default();
    let mut about = Vec::new();
    if let Some(s) = &c.source {
        about.push(format!("Redis {}", s.redis_version));
        about.extend(s.node_timeout.map(|nt| format!("node timeout {nt} ms")));
        about.extend(s.masters.map(|m| format!("{m} masters")));
        about.extend(s.replicas.map(|r| format!("{r} replica{} each", if r == 1 { "" } else { "s" })));
        about.push(s.file.clone());
    }
    about.push("share of trials with at most this value".to_owned());
    let left = MARGIN as i32 + 8;
    page.draw_text(&title, &text(22, INK, FontStyle::Bold, HPos::Left), (left, 18))?;
    page.draw_text(&about.join("   ·   "), &text(13, SOFT, FontStyle::Normal, HPos::Left), (left, 50))?;
    // The legend, at the right.
    let sides = [
        (SIMULATED, false, format!("simulated, {} trials", trials.simulated)),
        (RECORDED, true, format!("recorded, {} trials", trials.recorded)),
    ];
    for (i, (colour, dashed, words)) in sides.into_iter().enumerate() {
        let y = 26 + 22 * i as i32;
        let x = width as i32 - 230;
        let pieces = if dashed { vec![(0, 10), (14, 24), (28, 38)] } else { vec![(0, 38)] };
        for (from, to) in pieces {
            page.draw(&PathElement::new([(x + from, y), (x + to, y)], colour.stroke_width(3)))?;
        }
        page.draw_text(&words, &text(14, INK, FontStyle::Normal, HPos::Left), (x + 48, y - 8))?;
    }
    Ok(())
}

fn draw_panel<'a>(area: &Area<'a>, panel: &Panel<'_>) -> Result<(), Error<'a>> {
    let row = panel.row;
    let differs = row.verdict == Verdict::Differs;
    if differs {
        area.fill(&WRONG)?;
    }
    let (low, high) = x_range(panel);
    area.draw_text(&label(row), &text(15, INK, FontStyle::Bold, HPos::Left), (12, 6))?;
    let ks = row.ks_distance.zip(row.p_holm).map(|(d, p)| format!("KS {d:.2}, Holm p {}", p_value(p)));
    let verdict = match (differs, ks) {
        (true, Some(ks)) => format!("{ks}: {}", row.notes.join("; ")),
        (_, ks) => ks.unwrap_or_default(),
    };
    let colour = if differs { RECORDED } else { SOFT };
    area.draw_text(&verdict, &text(12, colour, FontStyle::Normal, HPos::Left), (12, 25))?;

    let mut chart = ChartBuilder::on(area)
        .margin_top(44)
        .margin_right(14)
        .margin_left(2)
        .x_label_area_size(36)
        .y_label_area_size(38)
        .build_cartesian_2d(low..high, 0.0..1.0)?;
    let unit = row.unit.label();
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(SOFT)
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&|x| number(*x))
        .y_label_formatter(&|y| format!("{:.0}%", y * 100.0))
        .x_desc(unit)
        .axis_desc_style(text(12, SOFT, FontStyle::Normal, HPos::Center))
        .label_style(("sans-serif", 11, &SOFT))
        .draw()?;
    let recorded = steps(&panel.recorded, low, high);
    chart.draw_series(LineSeries::new(steps(&panel.simulated, low, high), SIMULATED.stroke_width(2)))?;
    chart.draw_series(DashedLineSeries::new(recorded, 6, 3, RECORDED.stroke_width(2)))?;
    Ok(())
}

/// The corners of the empirical distribution function of ascending values, from `low` to `high`.
fn steps(values: &[f64], low: f64, high: f64) -> Vec<(f64, f64)> {
    let n = values.len();
    let mut corners = vec![(low, 0.0)];
    let mut before = 0.0;
    let stride = n.div_ceil(STEPS).max(1);
    for (i, &x) in values.iter().enumerate() {
        // A step goes up behind the last of equal values.
        let last_of_equals = values.get(i + 1).is_none_or(|next| *next > x);
        if last_of_equals && ((i + 1) % stride == 0 || i + 1 == n || before == 0.0) {
            let share = (i + 1) as f64 / n as f64;
            corners.extend([(x, before), (x, share)]);
            before = share;
        }
    }
    corners.push((high, 1.0));
    corners
}

/// From the least to the greatest value of both sides, and a little more; at least 1 wide.
fn x_range(panel: &Panel<'_>) -> (f64, f64) {
    let low = panel.simulated[0].min(panel.recorded[0]);
    let high = panel.simulated[panel.simulated.len() - 1].max(panel.recorded[panel.recorded.len() - 1]);
    let room = ((high - low) * 0.04).max(0.5);
    (low - room, high + room)
}

fn text(size: i32, colour: RGBColor, style: FontStyle, h: HPos) -> TextStyle<'static> {
    let font: FontDesc<'static> = ("sans-serif", size, style).into();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(h, VPos::Top) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::compare::{Options, compare};
    use crate::lab::stats::Bootstrap;

    #[test]
    fn steps_go_up_behind_equal_values() {
        let got = steps(&[1.0, 2.0, 2.0, 4.0], 0.0, 5.0);
        let want = [
            (0.0, 0.0),
            (1.0, 0.0),
            (1.0, 0.25),
            (2.0, 0.25),
            (2.0, 0.75),
            (4.0, 0.75),
            (4.0, 1.0),
            (5.0, 1.0),
        ];
        assert_eq!(got, want);
        let many: Vec<f64> = (0..10_000).map(f64::from).collect();
        let got = steps(&many, 0.0, 1e4);
        assert!(got.len() < 900 && got[got.len() - 1].1 == 1.0);
    }

    #[test]
    fn draws_a_panel_for_each_metric_and_escapes_names() {
        let mut s = Samples::default();
        for i in 0..20 {
            s.push("<kill>", [("won", Some(f64::from(i))), ("a<b", Some(1.0)), ("never", None)]);
        }
        let options = Options { bootstrap: Bootstrap { seed: 0, resamples: 50 }, ..Options::default() };
        let c = compare(&s, &s, options);
        let svg = distributions(&c, "<kill>", &s, &s).unwrap();
        assert!(
            svg.contains("won")
                && svg.contains("a&lt;b")
                && !svg.contains("never")
                && !svg.contains("<kill>")
        );
        assert!(svg.contains("#0072B2") && svg.contains("#D55E00"));
        assert!(distributions(&c, "other", &s, &s).is_none());
    }
}
