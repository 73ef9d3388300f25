//! The manual page of directives, made from the table.

use super::{DIRECTIVES, Directive};

/// The reference of every directive as Markdown: those the simulator acts on, then those it only knows.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Directives of redis.conf\n\n\
         Names, ranges and defaults are those of Redis 7.0.15. Each works in a `redis.conf`, in `config` of a\n\
         scenario and with `CONFIG GET`; those marked *runtime* also with `CONFIG SET`.\n\n\
         ## Modelled\n\n",
    );
    table(&mut out, true);
    out.push_str(
        "\n## Known, without effect\n\nThese are checked and kept as Redis does, and change nothing in the simulator.\n\n",
    );
    table(&mut out, false);
    out
}

fn table(out: &mut String, modelled: bool) {
    out.push_str("| name | default | takes | runtime | what it is |\n| --- | --- | --- | --- | --- |\n");
    for directive in DIRECTIVES.iter().filter(|d| d.is_modelled() == modelled) {
        out.push_str(&row(directive));
    }
}

fn row(directive: &Directive) -> String {
    let alias = directive.alias.map(|alias| format!(", `{alias}`")).unwrap_or_default();
    let default = match directive.default {
        "" => "\"\"".to_string(),
        text => format!("`{text}`"),
    };
    let runtime = match (directive.is_runtime(), directive.is_protected()) {
        (false, _) => "no",
        (true, true) => "protected",
        (true, false) => "yes",
    };
    format!(
        "| `{}`{alias} | {default} | {} | {runtime} | {} |\n",
        directive.name,
        directive.kind.describe(),
        directive.doc
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_has_one_row() {
        let text = reference_markdown();
        for directive in DIRECTIVES {
            let start = format!("| `{}`", directive.name);
            assert_eq!(text.lines().filter(|line| line.starts_with(&start)).count(), 1, "{}", directive.name);
        }
        assert!(text.contains(
            "| `cluster-node-timeout` | `15000` | integer, at least 0, milliseconds | yes | Silence after"
        ));
        assert!(text.lines().all(|line| !line.starts_with('|') || line.matches('|').count() == 6));
    }
}
