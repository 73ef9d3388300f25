//! The load of all slots as a picture: in the terminal and as SVG.

use std::fmt::Write as _;

use plotters::prelude::*;

use crate::slot::{Measure, Tally};

/// From few to many; the steps are told apart without colour.
const SHADES: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];
const COLUMNS: usize = 64;
const SLOTS_PER_CELL: usize = 16;

/// Sixteen lines of 64 cells, each the mean of 16 slots that follow each other.
pub fn text(tally: &Tally, measure: Measure) -> String {
    let loads: Vec<u64> = tally.slots().iter().map(|l| l.by(measure)).collect();
    let mean = loads.iter().sum::<u64>() as f64 / loads.len() as f64;
    let mut out = String::new();
    for (row, cells) in loads.chunks(COLUMNS * SLOTS_PER_CELL).enumerate() {
        let _ = write!(out, "{:>6} |", row * COLUMNS * SLOTS_PER_CELL);
        for cell in cells.chunks(SLOTS_PER_CELL) {
            let here = cell.iter().sum::<u64>() as f64 / cell.len() as f64;
            out.push(SHADES[shade(here, mean)]);
        }
        out.push_str("|\n");
    }
    out.push_str("        each cell 16 slots, against the mean: ");
    for (i, c) in SHADES.iter().enumerate() {
        let upto = (i + 1) as f64 * 0.2;
        let _ = match i {
            0 => write!(out, "' ' 0"),
            9 => write!(out, "  {c} above"),
            _ if i % 2 == 1 => write!(out, "  {c} to {upto:.1}"),
            _ => Ok(()),
        };
    }
    out.push('\n');
    out
}

/// Nothing is the lowest step; the mean is in the middle.
fn shade(here: f64, mean: f64) -> usize {
    if here <= 0.0 {
        return 0;
    }
    ((here / mean / 0.2) as usize).clamp(1, 9)
}

/// Five colours of the viridis scale, which also the colour-blind can order, and which print in grey.
const SCALE: [(u8, u8, u8); 5] = [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)];

fn colour(x: f64) -> RGBColor {
    let x = x.clamp(0.0, 1.0) * 4.0;
    let i = (x as usize).min(3);
    let part = x - i as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    RGBColor(
        mix(SCALE[i].0, SCALE[i + 1].0),
        mix(SCALE[i].1, SCALE[i + 1].1),
        mix(SCALE[i].2, SCALE[i + 1].2),
    )
}

/// All 16,384 slots, 128 to a line, slot 0 first.
pub fn svg(tally: &Tally, measure: Measure) -> Result<String, String> {
    const SIDE: i32 = 6;
    const PER_LINE: i32 = 128;
    let loads: Vec<u64> = tally.slots().iter().map(|l| l.by(measure)).collect();
    let max = loads.iter().copied().max().unwrap_or(0);
    let what = match measure {
        Measure::Keys => "keys",
        Measure::Bytes => "bytes",
    };
    let mut out = String::new();
    {
        let (left, top) = (60, 40);
        let size = ((left + PER_LINE * SIDE + 20) as u32, (top + PER_LINE * SIDE + 40) as u32);
        let root = SVGBackend::with_string(&mut out, size).into_drawing_area();
        let draw = || -> Result<(), Box<dyn std::error::Error>> {
            root.fill(&WHITE)?;
            let title = ("sans-serif", 16).into_font();
            root.draw(&Text::new(format!("{what} per slot, 0 (dark) to {max} (light)"), (left, 14), title))?;
            let small = ("sans-serif", 11).into_font();
            for line in (0..PER_LINE).step_by(16) {
                let label = format!("{}", line * PER_LINE);
                root.draw(&Text::new(label, (14, top + line * SIDE - 3), small.clone()))?;
            }
            for (slot, &load) in (0..).zip(&loads) {
                let (x, y) = (left + slot % PER_LINE * SIDE, top + slot / PER_LINE * SIDE);
                let fill = colour(load as f64 / max.max(1) as f64).filled();
                root.draw(&Rectangle::new([(x, y), (x + SIDE, y + SIDE)], fill))?;
            }
            root.present()?;
            Ok(())
        };
        draw().map_err(|e| e.to_string())?;
    }
    Ok(out)
}
