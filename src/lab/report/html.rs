//! The report of an experiment as one HTML file that needs nothing else: tables and charts, readable
//! offline and on paper.

use super::charts;
use super::experiment::Results;
use super::text::number;
use crate::lab::samples::Unit;
use crate::lab::stats::{Bootstrap, Interval, quantile, sorted};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#222a35;max-width:80rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem;border-top:1px solid #dde1e6;padding-top:1rem}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px;margin:.6rem 0}\
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #edf0f2;white-space:nowrap}\
th:first-child,td:first-child{text-align:left}th{color:#6b7480;font-weight:600}\
.wide{overflow-x:auto}svg{max-width:100%;height:auto}pre{background:#f6f7f9;padding:.8rem;overflow-x:auto}\
small{color:#6b7480}";

/// The page. Same rows, same bytes.
pub fn page(r: &Results<'_>, asked: &[String], bootstrap: Bootstrap) -> String {
    let id = &r.grid.identity;
    let title = &r.grid.identity.title;
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title><style>{STYLE}</style></head>\n\
         <body><h1>{}</h1>\n<p>{} trials of <code>{}</code> at {} points, seeds from {}. \
         Intervals are 95% bootstrap intervals.",
        escape(title),
        escape(title),
        r.rows.len(),
        escape(&id.scenario),
        r.grid.points.len(),
        id.first_seed
    );
    if !id.settings.is_empty() {
        out += &format!(" Set: <code>{}</code>.", escape(&id.settings.join(" ")));
    }
    out += "</p>\n";
    out += &chart(charts::phases(r));
    for metric in r.metrics(asked) {
        out += &format!("<h2>{} <small>{}</small></h2>\n", escape(&metric), Unit::of(&metric).label());
        out += &table(r, &metric, bootstrap);
        for svg in [charts::map(r, &metric), charts::distributions(r, &metric), charts::boxes(r, &metric)] {
            out += &chart(svg);
        }
    }
    out += &all_metrics(r);
    out += &format!("<h2>The scenario</h2>\n<pre>{}</pre>\n</body></html>\n", escape(&id.text));
    out
}

fn chart(svg: Option<String>) -> String {
    svg.map_or_else(String::new, |svg| format!("<div class=\"wide\">{}</div>\n", svg.trim()))
}

fn table(r: &Results<'_>, metric: &str, bootstrap: Bootstrap) -> String {
    let keys: Vec<&str> = r.grid.identity.sweeps.iter().map(|s| s.key.as_str()).collect();
    let mut out = format!(
        "<div class=\"wide\"><table><tr><th>{}</th><th>n</th><th>median</th><th></th><th>p90</th><th></th>\
         <th>p99</th><th>max</th><th>than the first, same seeds</th></tr>\n",
        escape(&keys.join(" x "))
    );
    for p in 0..r.grid.points.len() {
        let label = &r.grid.points[p].label;
        out += &format!("<tr><td>{}</td>", escape(&r.short(p)));
        let Some(s) = r.summary.get(label).and_then(|t| t.get(metric)) else {
            out += "<td>0</td><td colspan=\"7\"></td></tr>\n";
            continue;
        };
        let around = |i: Interval| format!("<small>{} .. {}</small>", number(i.low), number(i.high));
        let d = r.differences(p, metric);
        let name = format!("paired {metric} {label}");
        let than = match (quantile(&sorted(&d), 0.5), bootstrap.quantile_interval(&name, &d, 0.5, 0.95)) {
            (Some(median), Some(i)) if p > 0 => format!("{} {}", number(median), around(i)),
            _ => String::new(),
        };
        out += &format!(
            "<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{than}</td></tr>\n",
            s.n,
            number(s.median),
            around(s.median_interval),
            number(s.p90),
            around(s.p90_interval),
            number(s.p99),
            number(s.max),
        );
    }
    out + "</table></div>\n"
}

/// Medians of everything that was measured.
fn all_metrics(r: &Results<'_>) -> String {
    let points = r.grid.points.len().min(12);
    let mut out =
        "<h2>All metrics <small>medians; in brackets the share of trials in which it happened</small></h2>\n\
         <div class=\"wide\"><table><tr><th>metric</th>"
            .to_string();
    for p in 0..points {
        out += &format!("<th>{}</th>", escape(&r.short(p)));
    }
    out += "</tr>\n";
    for metric in r.known() {
        out += &format!("<tr><td>{}</td>", escape(metric));
        for p in 0..points {
            let found = r.summary.get(&r.grid.points[p].label).and_then(|t| t.get(metric));
            let cell = found.map_or_else(String::new, |s| {
                let share =
                    if s.n < s.trials { format!(" ({:.0}%)", s.share * 100.0) } else { String::new() };
                number(s.median) + &share
            });
            out += &format!("<td>{cell}</td>");
        }
        out += "</tr>\n";
    }
    out + "</table></div>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
