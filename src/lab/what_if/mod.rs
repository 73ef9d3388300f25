//! What if this host dies? A layout of a real cluster, and every single and double loss tried on it.
//!
//! [`layout`] reads the nodes and where they run, [`loss`] judges a loss by Redis's rules, [`moves`] looks
//! for the fewest commands that take the fatal cases away, [`trial`] runs cases in the simulator: how long
//! the outage is, and whether what is called fatal is. [`sentinels`] reads and judges a deployment of Sentinel, and
//! [`rearrange`] looks for the fewest changes to it.
//!
//! Must never know how a report looks. Read first: [`loss::judge`].

pub mod layout;
pub mod loss;
pub mod moves;
pub mod rearrange;
pub mod sentinels;
pub mod trial;

pub use layout::{Layout, Member};
pub use loss::{Class, Loss, Verdict};
