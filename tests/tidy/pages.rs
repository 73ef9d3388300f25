//! Reference pages of the book that are made from the code.

use slotscope::base::Quantiles;
use slotscope::scenario::lesson::{Lang, page as lesson_page};
use slotscope::world::net::NetModel;

use super::layers::table;
use super::source::{doc, items};
use super::{page, read};
use crate::lessons::{Taught, taught};

/// The first line of a page that is made from the code.
fn made_by(what: &str) -> String {
    format!("<!-- Made from {what} by tests/tidy/pages.rs. Do not edit. -->\n")
}

#[test]
fn the_page_of_directives_is_up_to_date() {
    let text = made_by("src/params/table.rs") + &slotscope::params::reference_markdown();
    page("book/src/reference/directives.md", &text);
}

#[test]
fn the_page_of_scenario_files_is_up_to_date() {
    let text = made_by("src/scenario/keys.rs") + &slotscope::scenario::reference_markdown();
    page("book/src/reference/scenario.md", &text);
}

#[test]
fn the_page_of_faults_and_checks_is_up_to_date() {
    let text = made_by("src/lab/hunt/swarm.rs and src/check/invariant.rs")
        + &slotscope::lab::hunt::reference_markdown();
    page("book/src/reference/checks.md", &text);
}

#[test]
fn the_page_of_commands_is_up_to_date() {
    let mut program = slotscope::cli::command().disable_help_subcommand(true).term_width(100);
    program.build();
    let mut text = made_by("src/cli/") + "# Commands\n\nWhat each command says of itself with `--help`.\n";
    manual(&mut text, &mut program);
    page("book/src/reference/commands.md", &text);
}

/// The long help of a command and of those below it.
fn manual(out: &mut String, command: &mut clap::Command) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_string();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    out.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
    command.get_subcommands_mut().for_each(|below| manual(out, below));
}

#[test]
fn the_page_of_keys_is_up_to_date() {
    page(
        "book/src/reference/keys.md",
        &(made_by("src/tui/keys.rs") + &slotscope::tui::keys::reference_markdown()),
    );
}

/// A section of the enum `Fact`: its title and the variants' names.
fn sections(text: &str) -> Vec<(String, usize)> {
    let lines = text.lines().enumerate().filter_map(|(i, line)| {
        let title = line.trim().strip_prefix("// ---- ")?.trim_end_matches(['-', ' ']);
        Some((title.to_string(), i + 1))
    });
    lines.collect()
}

/// The level that `Fact::level` gives a variant, read from its match.
fn levels(text: &str) -> (Vec<(String, String)>, String) {
    let level = items("src/trace/fact.rs", text).into_iter().find(|i| i.path == "Fact::level");
    let body = level.expect("Fact::level").text;
    let body = body.split_once("match self {").expect("a match").1.to_string();
    let (mut found, mut rest) = (Vec::new(), "Notice".to_string());
    let mut pending = String::new();
    for line in body.lines() {
        pending.push_str(line);
        let Some((patterns, level)) = pending.split_once("=> Level::") else { continue };
        let level = level.trim_end_matches([',', ' ', '}']).to_string();
        for pattern in patterns.split('|') {
            let name = pattern.replace("{ .. }", "").trim().to_string();
            if name == "_" {
                rest.clone_from(&level);
            } else {
                found.push((name, level.clone()));
            }
        }
        pending.clear();
    }
    (found, rest)
}

fn facts() -> String {
    let text = read("src/trace/fact.rs");
    let code = syn::parse_file(&text).expect("Rust");
    let fact = code.items.iter().find_map(|item| match item {
        syn::Item::Enum(e) if e.ident == "Fact" => Some(e),
        _ => None,
    });
    let (levels, other) = levels(&text);
    let mut sections = sections(&text).into_iter().peekable();
    let mut out = made_by("src/trace/fact.rs");
    out.push_str(
        "# Facts\n\n\
         Everything that can happen in a run. Each fact comes with its time, its host and the fact that\n\
         caused it; this list is closed. A trace keeps the facts of its level and those above it: headline,\n\
         notice, debug, packet. \"Self\" is the host that the fact belongs to.\n",
    );
    for variant in &fact.expect("the enum Fact").variants {
        let line = variant.ident.span().start().line;
        while sections.peek().is_some_and(|(_, at)| *at < line) {
            let (title, _) = sections.next().expect("peeked");
            let mut letters = title.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            out.push_str(&format!(
                "\n## {first}{}\n\n| fact | carries | level | what happened |\n| --- | --- | --- | --- |\n",
                letters.as_str()
            ));
        }
        let name = variant.ident.to_string();
        let fields = variant.fields.iter().filter_map(|f| f.ident.as_ref());
        let fields: Vec<String> = fields.map(|f| format!("`{f}`")).collect();
        let level = levels.iter().find(|(n, _)| *n == name).map_or(&other, |(_, l)| l);
        let what = doc(&variant.attrs).replace('\n', " ");
        out.push_str(&format!(
            "| `{name}` | {} | {} | {} |\n",
            fields.join(", "),
            level.to_lowercase(),
            what.trim()
        ));
    }
    out
}

#[test]
fn the_page_of_facts_is_up_to_date() {
    let text = facts();
    assert!(text.contains("| `Killed` |  | headline |"), "{text}");
    assert!(text.contains("| `Pinged` | `node` | debug |"), "{text}");
    page("book/src/reference/facts.md", &text);
}

/// Replaces what stands between `<!-- NAME: ... -->` and `<!-- end of NAME -->` of a written page.
fn part(path: &str, name: &str, made: &str) {
    let text = read(path);
    let (head, rest) = text.split_once(&format!("<!-- {name}: ")).expect("the mark before the part");
    let (from, rest) = rest.split_once(" -->\n").expect("the end of the mark");
    let (_, tail) = rest.split_once(&format!("<!-- end of {name} -->")).expect("the mark after the part");
    page(path, &format!("{head}<!-- {name}: {from} -->\n{made}<!-- end of {name} -->{tail}"));
}

#[test]
fn the_map_has_the_table_of_layers() {
    let mut rows = String::from("| layer | module | what it is |\n| --- | --- | --- |\n");
    for row in table() {
        rows.push_str(&format!("| {} | `{}` | {} |\n", row.layer, row.module, row.what));
    }
    part("book/src/internals/map.md", "layers", &rows);
}

#[test]
fn the_network_page_has_the_presets() {
    let mut rows = String::from(
        "| preset | same zone, microseconds one way: least, median, p90, p99, most | other zone | lost per million | bytes/s |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for preset in NetModel::PRESETS {
        let times =
            |q: Quantiles| [q.min(), q.p50(), q.p90(), q.p99(), q.max()].map(|d| d.0.to_string()).join(", ");
        let speed = match preset.bandwidth {
            0 => "unlimited".to_string(),
            bytes => bytes.to_string(),
        };
        rows.push_str(&format!(
            "| `{}` | {} | {} | {} | {speed} |\n",
            preset.preset,
            times(preset.latency),
            times(preset.latency_zones),
            preset.loss_ppm
        ));
    }
    part("book/src/internals/network-and-hosts.md", "presets", &rows);
}

/// What the program prints.
fn printed(words: &[&str]) -> String {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_slotscope"))
        .current_dir(super::root())
        .args(words)
        .output()
        .expect("slotscope runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("a text")
}

/// The picture of the README and its recording are what the program shows now.
#[test]
fn the_pictures_of_the_readme_are_up_to_date() {
    let file = "scenarios/cluster/chapter-cluster.toml";
    let svg = printed(&["play", file, "--picture", "-", "--at", "28s", "--size", "120x36"]);
    page("book/src/images/failover.svg", &svg);
    let size = ["--size", "110x32", "--speed", "2", "--frames", "4"];
    let cast = printed(&[&["shot", file, "--cast", "-", "--at", "4s", "--until", "26s"], &size[..]].concat());
    page("book/src/images/failover.cast", &cast);
}

/// A page per lesson and language, from the lesson's file and from its run.
#[test]
fn the_pages_of_lessons_are_up_to_date() {
    for Taught { name, scenario, truths } in taught() {
        let lesson = scenario.lesson.as_ref().expect("a lesson");
        let file = format!("scenarios/lessons/{name}.toml");
        let text = read(&file);
        let (_, solution) = text.split_once("[[lesson.exercise.solution]]").expect("a solution, at the end");
        let solution = format!("[[lesson.exercise.solution]]{solution}");
        let solution = solution.replace("[[lesson.exercise.solution]]", "[[step]]");
        for lang in Lang::ALL {
            let made = lesson_page::markdown(name, lesson, truths, lang, "../../images/lessons", &solution);
            page(&format!("book/src/lessons/{}/{name}.md", lang.name()), &(made_by(&file) + &made));
        }
    }
}

/// The pictures of those pages are what the program shows.
#[test]
fn the_pictures_of_lessons_are_up_to_date() {
    for Taught { name, scenario, .. } in taught() {
        let Some(picture) = &scenario.lesson.as_ref().expect("a lesson").picture else { continue };
        let (at, keys) = (picture.at.to_string(), &picture.keys);
        let svg = printed(&["play", name, "--picture", "-", "--size", "110x30", "--at", &at, "--keys", keys]);
        page(&format!("book/src/images/lessons/{name}.svg"), &svg);
    }
}
