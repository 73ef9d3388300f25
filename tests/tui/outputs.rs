//! What leaves the program: recordings of a terminal, and a page that plays in a browser.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use slotscope::base::Dur;
use slotscope::scenario::load;
use slotscope::tui::cast::{Recording, cast};
use slotscope::tui::theme::{Depth, Theme};
use slotscope::tui::{Model, html};

use super::settle;

fn chapter(size: (u16, u16)) -> Model {
    let s = load(Path::new("@/cluster/chapter-cluster.toml")).expect("a scenario of the program");
    let theme = Theme::new(Depth::True);
    let mut m = Model::new(Arc::clone(&s.plan), s.seed, Some(s.script.end), theme, size);
    settle(&mut m);
    m
}

#[test]
fn a_recording_is_asciinema_s_and_the_same_each_time() {
    let make = || {
        let mut m = chapter((80, 24));
        let from = m.now() + Dur::secs(4);
        let r = Recording { from, to: from + Dur::secs(3), per_second: Dur::secs(1), frames: 4 };
        cast(&mut m, r).expect("a short recording")
    };
    let text = make();
    assert_eq!(text, make());
    let mut lines = text.lines();
    let head: serde_json::Value = serde_json::from_str(lines.next().expect("a head")).expect("JSON");
    assert_eq!(
        (head["version"].as_u64(), head["width"].as_u64(), head["height"].as_u64()),
        (Some(2), Some(80), Some(24))
    );
    let mut last = -1.0;
    let mut whole = String::new();
    for line in lines {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let t = event[0].as_f64().expect("a time");
        assert!(t > last && event[1] == "o");
        last = t;
        whole += event[2].as_str().expect("text");
    }
    assert!(last <= 3.0);
    assert!(whole.contains("is killed"), "what happens is in it");
    let mut m = chapter((80, 24));
    let from = m.now();
    let endless = Recording { from, to: from + Dur::secs(3600), per_second: Dur::ms(1), frames: 60 };
    assert_eq!(cast(&mut m, endless), None);
}

fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).flat_map(|dir| names.map(|n| dir.join(n))).find(|p| p.is_file())
}

/// The page as the browser has it after its scripts have run.
fn dom(browser: &Path, dir: &Path, url: &str, more: &[&str]) -> String {
    let profile = dir.join("profile");
    let out = Command::new("timeout")
        .args(["-k", "5", "60"])
        .arg(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=1500",
            "--window-size=1280,900",
        ])
        .args(more)
        .arg(url)
        .output()
        .expect("the browser runs");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn a_page_plays_in_a_browser_without_a_network() {
    let page = html::page(&mut chapter((120, 40)));
    assert!(!page.contains("%DATA%") && !page.contains("%TITLE%"));
    let fetched = ["http://", "https://"].iter().flat_map(|p| page.match_indices(p));
    let others: Vec<&str> = fetched.map(|(i, _)| &page[i..(i + 40).min(page.len())]).collect();
    assert!(others.iter().all(|u| u.starts_with("http://www.w3.org/2000/svg")), "{others:?}");
    let Some(browser) = chromium() else {
        eprintln!("no chromium here: the page is not opened");
        return;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("replay.html");
    std::fs::write(&file, &page).expect("written");
    let url = format!("file://{}", file.display());
    let before = dom(&browser, dir.path(), &format!("{url}#t=2"), &["--dump-dom"]);
    assert!(before.contains("0-5460:n1") && before.contains("● healthy"), "{}", tail(&before));
    // The slider is moved as a hand would.
    let moved = page.replace(
        "</body>",
        "<script>const s=document.getElementById('scrub');s.value=50e6;s.dispatchEvent(new Event('input'))</script></body>",
    );
    std::fs::write(&file, moved).expect("written");
    let after = dom(&browser, dir.path(), &url, &["--dump-dom"]);
    assert!(after.contains("data-time=\"50000000\""), "{}", tail(&after));
    assert!(
        !after.contains("0-5460:n1") && after.contains("0-5460:n"),
        "a replica has the slots: {}",
        tail(&after)
    );
    let picture = dir.path().join("page.png");
    dom(&browser, dir.path(), &url, &[&format!("--screenshot={}", picture.display())]);
    let png = std::fs::read(&picture).expect("a picture");
    assert!(png.starts_with(b"\x89PNG") && png.len() > 20_000, "{} bytes", png.len());
}

fn tail(text: &str) -> String {
    text.chars().rev().take(600).collect::<Vec<_>>().into_iter().rev().collect()
}
