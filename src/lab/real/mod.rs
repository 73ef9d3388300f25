//! The bridge to reality: a scenario's deployment as files for real servers, the same scenario carried out on real
//! processes on loopback, and both sides measured by one program.
//!
//! [`loopback`] moves a plan to 127.0.0.1 and says what cannot be done to processes there; [`files`] writes it down;
//! [`servers`] starts and ends processes; [`trial`] carries a scenario out, on them and in the simulator;
//! [`measure`](mod@measure) reads the logs of both with the reader of logs, [`crate::lab::ingest`].
//!
//! The real side is the only room of the laboratory with a wall clock. Read first: [`Subject`], then [`trial`].

pub mod files;
pub mod loopback;
pub mod measure;
pub mod servers;
pub mod trial;

use crate::base::Dur;
use crate::scenario::Scenario;
use crate::world::plan::Plan;

/// A scenario that real processes on loopback can act.
#[derive(Clone, Debug)]
pub struct Subject {
    /// On loopback, each node with a port of its own.
    pub plan: Plan,
    /// The run ends this long after the deployment is formed.
    pub end: Dur,
    /// What of the scenario is left out, on both sides.
    pub left_out: Vec<String>,
}

impl Subject {
    /// The scenario on loopback.
    ///
    /// # Errors
    /// Everything in it that cannot be done to real processes there.
    pub fn new(s: &Scenario) -> Result<Subject, Vec<String>> {
        let mut wrong = loopback::obstacles(&s.plan);
        if s.oracle.is_some() {
            let help = "the scenario repeats a recording: compare it with `slotscope lab --compare`";
            wrong.push(help.to_string());
        } else if s.plan.steps.iter().all(|step| loopback::is_talk(&step.action)) {
            wrong.push("nothing is done in this scenario, so there is nothing to compare".to_string());
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let left_out = loopback::left_out(&s.plan);
        Ok(Subject {
            plan: loopback::placed(&s.plan, &loopback::own_ports(&s.plan)),
            end: s.script.end,
            left_out,
        })
    }
}
