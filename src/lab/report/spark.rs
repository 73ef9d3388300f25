//! Small pictures made of text: a sparkline of a distribution, a bar for a share.

/// Which characters a terminal may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Glyphs {
    #[default]
    Unicode,
    Ascii,
}

impl Glyphs {
    fn levels(self) -> &'static [char] {
        match self {
            Glyphs::Unicode => &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            Glyphs::Ascii => &['_', '.', ':', '-', '=', '+', '*', '#'],
        }
    }
}

/// Counts of `values` in `bins` equal parts of `low..=high`; values outside count at the nearer end.
/// All zero if there is nothing to divide.
pub fn histogram(values: &[f64], low: f64, high: f64, bins: usize) -> Vec<usize> {
    let mut counts = vec![0; bins];
    let width = (high - low) / bins as f64;
    if bins > 0 && low.is_finite() && high.is_finite() {
        for v in values {
            let at = if width > 0.0 { ((v - low) / width).max(0.0) as usize } else { 0 };
            counts[at.min(bins - 1)] += 1;
        }
    }
    counts
}

/// A sparkline, one character per count; none is a space, the greatest a full block.
pub fn sparkline(counts: &[usize], glyphs: Glyphs) -> String {
    let levels = glyphs.levels();
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let draw = |&n: &usize| match n {
        0 => ' ',
        n => levels[(n * levels.len()).div_ceil(most).clamp(1, levels.len()) - 1],
    };
    counts.iter().map(draw).collect()
}

/// The distribution of `values` between `low` and `high` in `width` characters.
pub fn spark(values: &[f64], low: f64, high: f64, width: usize, glyphs: Glyphs) -> String {
    sparkline(&histogram(values, low, high, width), glyphs)
}

/// A bar for a share from 0 to 1 in `width` characters, to an eighth of a character where the glyphs
/// allow it.
pub fn bar(share: f64, width: usize, glyphs: Glyphs) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    match glyphs {
        Glyphs::Ascii => {
            let full = (share * width as f64).round() as usize;
            "#".repeat(full) + &".".repeat(width - full)
        }
        Glyphs::Unicode => {
            let eighths = (share * (width * 8) as f64).round() as usize;
            let mut text = "█".repeat(eighths / 8);
            let mut used = eighths / 8;
            if !eighths.is_multiple_of(8) {
                text.push(EIGHTHS[eighths % 8]);
                used += 1;
            }
            text + &" ".repeat(width - used)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_count_everything() {
        assert_eq!(histogram(&[0.0, 1.0, 2.0, 3.0, 4.0], 0.0, 4.0, 4), [1, 1, 1, 2]);
        assert_eq!(histogram(&[-9.0, 99.0], 0.0, 4.0, 2), [1, 1]);
        assert_eq!(histogram(&[5.0, 5.0], 5.0, 5.0, 3), [2, 0, 0]);
        assert_eq!(histogram(&[1.0], f64::NAN, 1.0, 2), [0, 0]);
        assert!(histogram(&[1.0], 0.0, 1.0, 0).is_empty());
    }

    #[test]
    fn sparklines_scale_to_the_greatest() {
        assert_eq!(sparkline(&[0, 1, 4, 8], Glyphs::Unicode), " ▁▄█");
        assert_eq!(sparkline(&[0, 1, 4, 8], Glyphs::Ascii), " _-#");
        assert_eq!(sparkline(&[0, 0], Glyphs::Ascii), "  ");
        // One among a thousand still shows.
        assert_eq!(sparkline(&[1, 1000], Glyphs::Unicode), "▁█");
        assert_eq!(spark(&[1.0, 2.0, 2.0], 0.0, 4.0, 4, Glyphs::Ascii), " -# ");
    }

    #[test]
    fn bars_fill_their_width() {
        assert_eq!(bar(0.5, 4, Glyphs::Unicode), "██  ");
        assert_eq!(bar(0.3, 4, Glyphs::Unicode), "█▎  ");
        assert_eq!(bar(0.3, 4, Glyphs::Ascii), "#...");
        assert_eq!((bar(9.0, 2, Glyphs::Ascii), bar(f64::NAN, 2, Glyphs::Ascii)), ("##".into(), "..".into()));
    }
}
