//! Steps: what is done, said and asked, and when.

use std::ops::Range;

use serde_spanned::Spanned;

use super::super::Question;
use super::super::diagnostics::line_of;
use super::super::schema::{self, Do, Words};
use super::{Lower, MAX_STEPS};
use crate::base::Dur;
use crate::redis::admin::Line;
use crate::resp::split_args;
use crate::world::plan::{Action, Step};
use crate::world::{DUMP, NODES_CONF};

impl Lower {
    pub(super) fn steps(&mut self, list: &[Spanned<schema::Step>]) {
        if let Some(first) = list.get(MAX_STEPS) {
            self.wrong(first.span(), format!("more than {MAX_STEPS} steps"), None);
        }
        let mut last = Dur::ZERO;
        for step in list.iter().take(MAX_STEPS) {
            let s = step.get_ref();
            let Some(at) = &s.at else {
                self.missing(step.span(), "the step does not say when", "add: at = \"10s\"");
                self.step(s, step.span(), last);
                continue;
            };
            let time = at.get_ref().0;
            if time < last {
                let help = format!("the step before is at {last}; steps come in order of time");
                self.wrong(at.span(), "time goes back", Some(help));
            }
            last = last.max(time);
            self.step(s, step.span(), time);
        }
    }

    fn step(&mut self, s: &schema::Step, place: Range<usize>, at: Dur) {
        if s.say.is_none() && s.r#do.is_none() && s.expect.is_none() && s.ask.is_none() {
            self.missing(place.clone(), "the step does nothing", "give it say, do, expect or ask");
        }
        if let Some(text) = &s.say {
            self.steps.push(Step { at, action: Action::Say { text: text.trim().to_string() } });
        }
        if let Some(deed) = &s.r#do {
            let actions = self.deed(deed.get_ref(), deed.span());
            self.steps.extend(actions.into_iter().map(|action| Step { at, action }));
        }
        if let Some(e) = &s.expect {
            let line = line_of(&self.text, e.span().start);
            self.expect(e.get_ref(), e.span(), at, line);
        }
        if let Some(ask) = &s.ask {
            self.ask(ask, at);
        }
    }

    fn ask(&mut self, ask: &Spanned<schema::Ask>, at: Dur) {
        let a = ask.get_ref();
        let (Some(question), Some(answer)) = (&a.question, &a.answer) else {
            self.missing(
                ask.span(),
                "a question needs both question and answer",
                "write: ask = { question = \"...\", answer = \"...\" }",
            );
            return;
        };
        self.questions.push(Question {
            at,
            question: question.clone(),
            choices: a.choices.clone(),
            answer: answer.clone(),
        });
    }

    pub(super) fn initial_slow(&mut self, s: &schema::Slow) {
        if let Some(action) = self.slow(s, 0..0) {
            self.steps.push(Step { at: Dur::ZERO, action });
        }
    }

    fn deed(&mut self, deed: &Do, place: Range<usize>) -> Vec<Action> {
        let each = |l: &mut Lower, words: &Words, make: fn(String) -> Action| -> Vec<Action> {
            l.group(words, false).into_iter().map(make).collect()
        };
        match deed {
            Do::Kill(w) => each(self, w, |node| Action::Kill { node }),
            Do::Start(w) => each(self, w, |node| Action::Start { node, wipe: false }),
            Do::StartEmpty(w) => each(self, w, |node| Action::Start { node, wipe: true }),
            Do::Stop(w) => each(self, w, |node| Action::Terminate { node }),
            Do::Crash(w) => each(self, w, |node| Action::Crash { node }),
            Do::PowerLoss(w) => each(self, w, |node| Action::Crash { node }),
            Do::FillDisk(w) => each(self, w, |node| Action::DiskFull { node, full: true }),
            Do::FreeDisk(w) => each(self, w, |node| Action::DiskFull { node, full: false }),
            Do::Restart(r) => {
                let Some(node) = &r.node else {
                    self.missing(place, "restart does not say which node", "add: node = \"n1\"");
                    return Vec::new();
                };
                let wipe = r.disk == Some(schema::DiskWord::Empty);
                self.group(node, false).into_iter().map(|node| Action::Restart { node, wipe }).collect()
            }
            Do::SlowDisk(slow) => {
                let (Some(node), Some(extra)) = (&slow.node, slow.extra) else {
                    let help = "write: slow-disk = { node = \"n1\", extra = \"3s\" }";
                    self.missing(place, "slow-disk needs a node and how much slower", help);
                    return Vec::new();
                };
                let slow = |node| Action::SlowDisk { node, extra: extra.0 };
                self.group(node, false).into_iter().map(slow).collect()
            }
            Do::Pause(w) => each(self, w, |node| Action::Pause { node }),
            Do::Resume(w) => each(self, w, |node| Action::Resume { node }),
            Do::Heal(w) => self.heal(w),
            Do::Cut(cut) => self.cut(cut, place).into_iter().collect(),
            Do::Slow(slow) => self.slow(slow, place).into_iter().collect(),
            Do::ClockJump(jump) => {
                let node = self.one_node(jump.node.as_ref(), &place, "clock-jump");
                let Some(by) = jump.by else {
                    self.missing(place, "clock-jump does not say by how much", "add: by = \"-5s\"");
                    return Vec::new();
                };
                node.map(|node| Action::ClockJump { node, by_us: by.0 }).into_iter().collect()
            }
            Do::Busy(busy) => {
                let node = self.one_node(busy.node.as_ref(), &place, "busy");
                let Some(time) = busy.time else {
                    self.missing(place, "busy does not say for how long", "add: time = \"3s\"");
                    return Vec::new();
                };
                node.map(|node| Action::Busy { node, time: time.0 }).into_iter().collect()
            }
            Do::Command(c) => self.command(c, place).into_iter().collect(),
            Do::RedisCli(c) => self.redis_cli(c, place).into_iter().collect(),
            Do::Copy(c) => self.copy(c, place).into_iter().collect(),
        }
    }

    /// `from` and `to`; without `to`, all others.
    fn two_groups(
        &mut self,
        from: Option<&Words>,
        to: Option<&Words>,
        place: Range<usize>,
        what: &str,
    ) -> Option<(Vec<String>, Vec<String>)> {
        let Some(from) = from else {
            self.missing(place, format!("{what} does not say where"), "add: from = [\"n1\"]");
            return None;
        };
        let from = self.group(from, true);
        let to = match to {
            Some(to) => self.group(to, true),
            None => {
                let mut rest = self.node_names();
                rest.extend(self.clients.iter().map(|c| c.name.clone()));
                rest.retain(|name| !from.contains(name));
                rest
            }
        };
        Some((from, to))
    }

    fn cut(&mut self, c: &schema::Cut, place: Range<usize>) -> Option<Action> {
        let (from, to) = self.two_groups(c.from.as_ref(), c.to.as_ref(), place, "cut")?;
        Some(Action::Cut { from, to, both: !c.one_way })
    }

    /// Undoes every cut that touches one of the named.
    fn heal(&mut self, w: &Words) -> Vec<Action> {
        if w.0.iter().any(|word| word.get_ref() == "all") {
            return vec![Action::Heal { from: Vec::new(), to: Vec::new() }];
        }
        let from = self.group(w, true);
        let mut to = self.node_names();
        to.extend(self.clients.iter().map(|c| c.name.clone()));
        vec![Action::Heal { from, to }]
    }

    fn slow(&mut self, s: &schema::Slow, place: Range<usize>) -> Option<Action> {
        let (from, to) = self.two_groups(s.from.as_ref(), s.to.as_ref(), place.clone(), "slow")?;
        let Some(extra) = s.extra else {
            self.missing(place, "slow does not say by how much", "add: extra = \"50ms\"; \"0ms\" undoes it");
            return None;
        };
        Some(Action::Slow { from, to, extra: extra.0 })
    }

    fn redis_cli(&mut self, c: &schema::RedisCli, place: Range<usize>) -> Option<Action> {
        let Some(run) = &c.run else {
            self.missing(place, "redis-cli does not say what to run", "add: run = \"--cluster check {n1}\"");
            return None;
        };
        let words = self.split(run)?;
        let words: Vec<String> = words.into_iter().map(|w| self.addresses(w, run)).collect();
        if let Err(why) = Line::parse(&words) {
            self.wrong(run.span(), why, None);
        }
        Some(Action::RedisCli { words, answers: c.answers.clone() })
    }

    fn copy(&mut self, c: &schema::CopyFile, place: Range<usize>) -> Option<Action> {
        let (Some(from), Some(to)) = (&c.from, &c.to) else {
            let help = "write: copy = { from = \"n1:dump.rdb\", to = \"/backup/n1.rdb\" }";
            self.missing(place, "copy needs from and to", help);
            return None;
        };
        let (a, b) = (self.file_name(from), self.file_name(to));
        if let (Some((_, a)), Some((_, b))) = (a.split_once(':'), b.split_once(':'))
            && a != b
        {
            self.wrong(to.span(), format!("a {a} is no {b}"), None);
        }
        Some(Action::Copy { from: a, to: b })
    }

    /// A file of a node, or of the operator.
    fn file_name(&mut self, name: &Spanned<String>) -> String {
        let text = self.addresses(name.get_ref().clone(), name);
        if let Some((node, file)) = text.split_once(':') {
            let known = self.node_names();
            if !known.iter().any(|n| n == node) {
                self.unknown_name(&Spanned::new(name.span(), node.to_string()), "node", &known);
            } else if file != DUMP && file != NODES_CONF {
                let help = format!("there are {node}:{DUMP} and {node}:{NODES_CONF}");
                self.wrong(name.span(), format!("a node has no file `{file}` to copy"), Some(help));
            }
        }
        text
    }

    fn split(&mut self, run: &Spanned<String>) -> Option<Vec<String>> {
        match split_args(run.get_ref()) {
            Ok(words) if words.is_empty() => {
                self.wrong(run.span(), "the command is empty", None);
                None
            }
            Ok(words) => Some(words.iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect()),
            Err(_) => {
                self.wrong(run.span(), "unbalanced quotes in the command", None);
                None
            }
        }
    }

    /// Every `{n3}` in the word becomes the address of n3; `{n3.id}` and its like are as in a command.
    fn addresses(&mut self, word: String, run: &Spanned<String>) -> String {
        let mut out = String::new();
        for part in word.split_inclusive('}') {
            let Some(at) = part.find('{').filter(|_| part.ends_with('}')) else {
                out += part;
                continue;
            };
            let (before, name) = part.split_at(at);
            out += before;
            let inner = &name[1..name.len() - 1];
            if inner.contains('.') {
                out += &self.placeholder(name.to_string(), run);
                continue;
            }
            match self.nodes.iter().find(|n| n.name == inner) {
                Some(node) => out += &node.addr().to_string(),
                None => {
                    let known = self.node_names();
                    self.unknown_name(&Spanned::new(run.span(), inner.to_string()), "node", &known);
                }
            }
        }
        out
    }

    fn command(&mut self, c: &schema::Command, place: Range<usize>) -> Option<Action> {
        let node = self.one_node(c.node.as_ref(), &place, "command");
        let Some(run) = &c.run else {
            self.missing(place, "command does not say what to run", "add: run = \"CLUSTER INFO\"");
            return None;
        };
        let words = self.split(run)?;
        let words = words.into_iter().map(|w| self.placeholder(w, run)).collect();
        Some(Action::Command { node: node?, words })
    }

    /// `{n3.ip}`, `{n3.port}` and `{n3.bus-port}` are put in here, `{n3.id}` when the command is sent.
    fn placeholder(&mut self, word: String, run: &Spanned<String>) -> String {
        let inner = word.strip_prefix('{').and_then(|w| w.strip_suffix('}'));
        let Some((name, what)) = inner.and_then(|w| w.split_once('.')) else { return word };
        let Some(node) = self.nodes.iter().find(|n| n.name == name) else {
            let known = self.node_names();
            self.unknown_name(&Spanned::new(run.span(), name.to_string()), "node", &known);
            return word;
        };
        match what {
            "id" => word,
            "ip" => node.ip.to_string(),
            "port" => node.conf.port.to_string(),
            "bus-port" => node.cport().to_string(),
            _ => {
                let help =
                    format!("there are {{{name}.id}}, {{{name}.ip}}, {{{name}.port}}, {{{name}.bus-port}}");
                self.wrong(run.span(), format!("a node has no `{what}`"), Some(help));
                word
            }
        }
    }
}
