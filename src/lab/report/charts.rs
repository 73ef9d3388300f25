//! Charts of an experiment as SVG: distribution functions, boxes by point, phases by point, a map of two
//! parameters.
//!
//! Colours are those of Okabe and Ito ("Color Universal Design", 2008); lines also differ by their
//! labels at the end, boxes by their place.

use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::experiment::{Medians, Results, medians};
use super::text::number;
use crate::lab::no_return::{Answer, Moment};
use crate::lab::samples::Unit;
use crate::lab::stats::{quantile, sorted};

const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x33, 0x33, 0x33),
];
const INK: RGBColor = RGBColor(0x22, 0x2A, 0x35);
const SOFT: RGBColor = RGBColor(0x6B, 0x74, 0x80);
const GRID: RGBColor = RGBColor(0xE6, 0xE9, 0xED);
const WIDTH: u32 = 860;
/// More lines or boxes cannot be told apart; the first ones are drawn.
const MOST: usize = 40;

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn,
) -> String {
    let mut out = String::new();
    {
        let page = SVGBackend::with_string(&mut out, size).into_drawing_area();
        page.fill(&WHITE).and_then(|()| draw(&page)).expect("drawing into a string does not fail");
        page.present().expect("drawing into a string does not fail");
    }
    out
}

fn style(size: i32, colour: RGBColor, h: HPos) -> TextStyle<'static> {
    let font: FontDesc<'static> = ("sans-serif", size, FontStyle::Normal).into();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(h, VPos::Center) }
}

/// A point and its values in ascending order.
type Sample = (usize, Vec<f64>);

/// Points with values of the metric, and the range of all.
fn drawn(r: &Results<'_>, metric: &str) -> Option<(Vec<Sample>, f64, f64)> {
    let points: Vec<Sample> = (0..r.grid.points.len())
        .map(|p| (p, sorted(r.values(p, metric))))
        .filter(|(_, v)| !v.is_empty())
        .take(MOST)
        .collect();
    let low = points.iter().map(|(_, v)| v[0]).reduce(f64::min)?;
    let high = points.iter().map(|(_, v)| v[v.len() - 1]).reduce(f64::max)?;
    let room = ((high - low) * 0.03).max(0.5);
    Some((points, low - room, high + room))
}

fn axis(metric: &str) -> String {
    format!("{metric}, {}", Unit::of(metric).label())
}

/// More lines than this nobody can tell apart: the legend ends, and colours come back.
const MOST_LINES: usize = 17;

/// The share of trials with at most a value, a line per point; `None` if no point has the metric, or too many have.
pub fn distributions(r: &Results<'_>, metric: &str) -> Option<String> {
    let (points, low, high) = drawn(r, metric).filter(|(points, ..)| points.len() <= MOST_LINES)?;
    Some(svg((WIDTH, 380), |page| {
        let (plot, legend) = page.split_horizontally(WIDTH as i32 - 210);
        let mut chart = ChartBuilder::on(&plot)
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(48)
            .build_cartesian_2d(low..high, 0.0..1.0)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(SOFT)
            .x_desc(axis(metric))
            .x_label_formatter(&|x| number(*x))
            .y_label_formatter(&|y| format!("{:.0}%", y * 100.0))
            .label_style(("sans-serif", 12, &SOFT))
            .draw()?;
        for (i, (p, values)) in points.iter().enumerate() {
            let colour = COLOURS[i % COLOURS.len()];
            let n = values.len();
            let stride = n.div_ceil(500).max(1);
            let mut line = vec![(low, 0.0)];
            let mut before = 0.0;
            for (k, x) in values.iter().enumerate() {
                if (k + 1) % stride == 0 || k + 1 == n {
                    let share = (k + 1) as f64 / n as f64;
                    line.extend([(*x, before), (*x, share)]);
                    before = share;
                }
            }
            line.push((high, 1.0));
            chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
            let y = 24 + 20 * i as i32;
            legend.draw(&PathElement::new([(8, y), (34, y)], colour.stroke_width(3)))?;
            legend.draw_text(&cut(&r.short(*p), 24), &style(12, INK, HPos::Left), (42, y))?;
        }
        Ok(())
    }))
}

/// The share of futures that end so over the time from which they were let go, with its 95% interval; leaps are
/// named.
pub fn chances(ending: &str, a: &Answer) -> String {
    let seconds = |us: u64| us as f64 / 1e6;
    svg((WIDTH, 380), |page| {
        let mut chart = ChartBuilder::on(page)
            .margin(12)
            .margin_right(28)
            .x_label_area_size(42)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..seconds(a.end_us), 0.0..1.0)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(SOFT)
            .x_desc("seconds since the deployment was formed")
            .y_desc(format!("futures with {ending}"))
            .x_label_formatter(&|x| number(*x))
            .y_label_formatter(&|y| format!("{:.0}%", y * 100.0))
            .label_style(("sans-serif", 12, &SOFT))
            .draw()?;
        let at = |m: &Moment| seconds(m.at_us);
        let low = a.moments.iter().map(|m| (at(m), m.interval().0));
        let high = a.moments.iter().rev().map(|m| (at(m), m.interval().1));
        let band: Vec<(f64, f64)> = low.chain(high).collect();
        chart.draw_series(std::iter::once(Polygon::new(band, COLOURS[0].mix(0.15))))?;
        let line = a.moments.iter().map(|m| (at(m), m.share()));
        chart.draw_series(LineSeries::new(line, COLOURS[0].stroke_width(2)))?;
        for leap in a.leaps.iter().filter(|leap| !leap.gradual) {
            let x = at(&leap.after);
            chart.draw_series(LineSeries::new([(x, 0.0), (x, 1.0)], COLOURS[1].stroke_width(1)))?;
            let Some(event) = leap.events.last() else { continue };
            let right = x < seconds(a.end_us) * 0.6;
            let h = if right { HPos::Left } else { HPos::Right };
            let (px, py) = chart.backend_coord(&(x, f64::midpoint(leap.before.share(), leap.after.share())));
            let name = cut(&format!("{} {}", event.host, event.text), 56);
            page.draw_text(&name, &style(12, COLOURS[1], h), (px + if right { 8 } else { -8 }, py))?;
        }
        Ok(())
    })
}

/// Box (quartiles), whiskers (1st and 99th percentile) and median per point.
pub fn boxes(r: &Results<'_>, metric: &str) -> Option<String> {
    let (points, low, high) = drawn(r, metric)?;
    let height = 70 + 26 * points.len() as u32;
    Some(svg((WIDTH, height), |page| {
        let mut chart = ChartBuilder::on(page)
            .margin(12)
            .margin_left(210)
            .x_label_area_size(42)
            .build_cartesian_2d(low..high, 0.0..points.len() as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(SOFT)
            .x_desc(axis(metric))
            .x_label_formatter(&|x| number(*x))
            .label_style(("sans-serif", 12, &SOFT))
            .draw()?;
        for (i, (p, v)) in points.iter().enumerate() {
            let colour = COLOURS[i % COLOURS.len()];
            let y = points.len() as f64 - i as f64 - 0.5;
            let q = |at| quantile(v, at).unwrap_or_default();
            let line = |a, b| PathElement::new(vec![a, b], colour.stroke_width(2));
            chart.draw_series([line((q(0.01), y), (q(0.25), y)), line((q(0.75), y), (q(0.99), y))])?;
            chart.draw_series([Rectangle::new(
                [(q(0.25), y - 0.3), (q(0.75), y + 0.3)],
                colour.mix(0.25).filled(),
            )])?;
            chart.draw_series([line((q(0.5), y - 0.3), (q(0.5), y + 0.3))])?;
            let (_, at) = chart.backend_coord(&(low, y));
            page.draw_text(&cut(&r.short(*p), 28), &style(12, INK, HPos::Right), (202, at))?;
        }
        Ok(())
    }))
}

/// The median length of each phase of the first failover, stacked, a bar per point.
pub fn phases(r: &Results<'_>) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for row in &r.rows {
        names.extend(row.metrics.keys().filter_map(|k| k.strip_prefix("phase: ")).filter(|n| *n != BESIDE));
    }
    names.sort_unstable();
    names.dedup();
    let order = |n: &&str| ORDER.iter().position(|o| o == n).unwrap_or(ORDER.len());
    names.sort_by_key(order);
    let bars: Vec<(usize, Vec<f64>)> = (0..r.grid.points.len())
        .map(|p| {
            let median =
                |n: &&str| quantile(&sorted(r.values(p, &format!("phase: {n}"))), 0.5).unwrap_or(0.0);
            (p, names.iter().map(median).collect::<Vec<f64>>())
        })
        .filter(|(_, b)| b.iter().sum::<f64>() > 0.0)
        .take(MOST)
        .collect();
    let high = bars.iter().map(|(_, b)| b.iter().sum::<f64>()).reduce(f64::max)?;
    let height = 110 + 26 * bars.len() as u32;
    Some(svg((WIDTH, height), |page| {
        let mut x = 12;
        for (k, n) in names.iter().enumerate() {
            page.draw(&Rectangle::new([(x, 12), (x + 12, 24)], COLOURS[k % COLOURS.len()].filled()))?;
            page.draw_text(n, &style(12, INK, HPos::Left), (x + 17, 18))?;
            x += 34 + 7 * n.chars().count() as i32;
        }
        let mut chart = ChartBuilder::on(page)
            .margin(12)
            .margin_top(36)
            .margin_left(210)
            .x_label_area_size(42)
            .build_cartesian_2d(0.0..high * 1.03, 0.0..bars.len() as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(SOFT)
            .x_desc("median length of each phase, ms since the injection")
            .x_label_formatter(&|x| number(*x))
            .label_style(("sans-serif", 12, &SOFT))
            .draw()?;
        for (i, (p, lengths)) in bars.iter().enumerate() {
            let y = bars.len() as f64 - i as f64 - 0.5;
            let mut from = 0.0;
            for (k, length) in lengths.iter().enumerate() {
                let colour = COLOURS[k % COLOURS.len()];
                let bar = Rectangle::new([(from, y - 0.35), (from + length, y + 0.35)], colour.filled());
                chart.draw_series([bar])?;
                from += length;
            }
            let (_, at) = chart.backend_coord(&(0.0, y));
            page.draw_text(&cut(&r.short(*p), 28), &style(12, INK, HPos::Right), (202, at))?;
        }
        Ok(())
    }))
}

/// The medians of a metric over two sweeps, darker where greater, each with its number.
pub fn map(r: &Results<'_>, metric: &str) -> Option<String> {
    let Medians { down, across, cells } = medians(r, metric)?;
    let known: Vec<f64> = cells.iter().flatten().copied().collect();
    let (low, high) = (known.iter().copied().reduce(f64::min)?, known.iter().copied().reduce(f64::max)?);
    let [a, b] = &r.grid.identity.sweeps[..] else { return None };
    let (left, top, tall) = (150, 64, 30);
    let wide = ((WIDTH as i32 - left - 20) / across.len().max(1) as i32).clamp(30, 110);
    let size = (WIDTH, (top + tall * down.len() as i32 + 16) as u32);
    Some(svg(size, |page| {
        let title = format!("median of {}: {} down, {} across", axis(metric), a.key, b.key);
        page.draw_text(&title, &style(13, INK, HPos::Left), (12, 16))?;
        for (k, v) in across.iter().enumerate() {
            let x = left + wide * k as i32 + wide / 2;
            page.draw_text(&cut(v, 12), &style(12, SOFT, HPos::Center), (x, top - 14))?;
        }
        for (i, v) in down.iter().enumerate() {
            let y = top + tall * i as i32;
            page.draw_text(&cut(v, 20), &style(12, SOFT, HPos::Right), (left - 8, y + tall / 2))?;
            for k in 0..across.len() {
                let x = left + wide * k as i32;
                let Some(value) = cells[i * across.len() + k] else {
                    page.draw_text("never", &style(12, SOFT, HPos::Center), (x + wide / 2, y + tall / 2))?;
                    continue;
                };
                let share = if high > low { (value - low) / (high - low) } else { 0.0 };
                let shade = |light: f64, dark: f64| (light + (dark - light) * share) as u8;
                let colour = RGBColor(shade(235.0, 8.0), shade(243.0, 64.0), shade(250.0, 129.0));
                page.draw(&Rectangle::new([(x, y), (x + wide - 2, y + tall - 2)], colour.filled()))?;
                let ink = if share > 0.5 { WHITE } else { INK };
                page.draw_text(&number(value), &style(12, ink, HPos::Center), (x + wide / 2, y + tall / 2))?;
            }
        }
        Ok(())
    }))
}

/// Phases in the order in which a failover has them; others follow. Propagation runs beside the last one and
/// is left out.
const ORDER: &[&str] = &[
    "silence",
    "agreement",
    "failed attempt",
    "election delay",
    "request",
    "offset",
    "catch-up",
    "start",
    "votes",
    "first write",
];
const BESIDE: &str = "propagation";

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.into()
    } else {
        text.chars().take(most - 1).chain(['…']).collect()
    }
}
