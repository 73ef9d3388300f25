//! The nearest known name to a misspelt one.

/// The candidate with the smallest edit distance to `word` (insert, delete, replace, swap neighbours),
/// without regard to case. None when all are too far off to be meant. The first of equals wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<u8> = word.bytes().take(MAX_LEN + 1).map(|b| b.to_ascii_lowercase()).collect();
    if word.is_empty() || word.len() > MAX_LEN {
        return None;
    }
    let near = |name: &'a str| {
        let limit = 1 + word.len().max(name.len()) / 4;
        let distance = edit_distance(&word, name.to_ascii_lowercase().as_bytes());
        (distance <= limit).then_some((distance, name))
    };
    candidates.into_iter().filter_map(near).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Longer words are nobody's misspelling; this also bounds the work.
const MAX_LEN: usize = 64;

/// Optimal string alignment distance, with three rows of memory.
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, want) in
            [("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3), ("ab", "", 2)]
        {
            assert_eq!(edit_distance(a.as_bytes(), b.as_bytes()), want, "{a} {b}");
        }
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["port", "cluster-node-timeout", "cluster-port"];
        assert_eq!(nearest("prot", names), Some("port"));
        assert_eq!(nearest("cluster_node_timeout", names), Some("cluster-node-timeout"));
        assert_eq!(nearest("Cluster-node-timout", names), Some("cluster-node-timeout"));
        assert_eq!(nearest("banana", names), None);
        assert_eq!(nearest(&"x".repeat(100_000), names), None);
    }
}
