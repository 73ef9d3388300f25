//! Texts with units that only scenarios have.

/// Packets lost per million, from `0.1%` or `1000ppm`.
pub(super) fn loss_ppm(text: &str) -> Result<u32, String> {
    let bad = || format!("`{text}` is not a loss: write for example \"0.1%\" or \"500ppm\"");
    let t = text.trim();
    let ppm = if let Some(n) = t.strip_suffix("ppm") {
        decimal(n.trim(), 0).ok_or_else(bad)?
    } else if let Some(n) = t.strip_suffix('%') {
        decimal(n.trim(), 4).ok_or_else(bad)?
    } else {
        return Err(bad());
    };
    if ppm > 500_000 {
        return Err(format!("`{text}` is more than half of all packets: no connection survives that"));
    }
    Ok(ppm as u32)
}

/// Bytes per second, from `100Mbit`, `10 MB` or `unlimited` (0).
pub(super) fn bandwidth(text: &str) -> Result<u64, String> {
    let bad =
        || format!("`{text}` is not a bandwidth: write for example \"100Mbit\", \"10MB\" or \"unlimited\"");
    let t = text.trim().trim_end_matches("/s");
    if t == "unlimited" {
        return Ok(0);
    }
    let split = t.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
    let (n, unit) = t.split_at(split);
    let (scale, per) = match unit.trim() {
        "kbit" => (1_000, 8),
        "Mbit" => (1_000_000, 8),
        "Gbit" => (1_000_000_000, 8),
        "kB" => (1_000, 1),
        "MB" => (1_000_000, 1),
        "GB" => (1_000_000_000, 1),
        _ => return Err(bad()),
    };
    let thousandths = decimal(n, 3).ok_or_else(bad)?;
    let bytes = thousandths.checked_mul(scale).ok_or_else(bad)? / 1000 / per;
    if bytes < 1000 {
        return Err(format!("`{text}` is less than 1 kB per second"));
    }
    Ok(bytes)
}

/// A decimal number times ten to the `places`; more places than that are refused.
fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, frac) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || frac.len() > places || !digits(whole) || !digits(frac) {
        return None;
    }
    format!("{whole}{frac:0<places$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_bandwidths() {
        assert_eq!(loss_ppm("0.1%"), Ok(1000));
        assert_eq!(loss_ppm("12.5 %"), Ok(125_000));
        assert_eq!(loss_ppm("7ppm"), Ok(7));
        for bad in ["", "1", "-1%", "0.00001%", "51%", "99999999999999999999%", ".5%", "1.2.3%", "ppm"] {
            assert!(loss_ppm(bad).is_err(), "{bad}");
        }
        assert_eq!(bandwidth("100Mbit"), Ok(12_500_000));
        assert_eq!(bandwidth("1.5 MB/s"), Ok(1_500_000));
        assert_eq!(bandwidth("unlimited"), Ok(0));
        for bad in ["", "100", "Mbit", "-1MB", "1 bit", "0MB", "99999999999999999GB", "1.0001MB"] {
            assert!(bandwidth(bad).is_err(), "{bad}");
        }
    }
}
