//! L6: the terminal. Model, update, view: [`model::update`] is the only thing that changes a
//! [`Model`], [`view::view`] only reads it, and [`keys::KEYMAP`] says once what every key does.
//!
//! Reads the world through `world::probe` and the recorded facts; never looks into protocol state.
//! Only this module and [`run`](run()) know the wall clock: the model is told how much time has passed, and
//! how much work it may do before the next frame. Read first: [`model::Msg`], then [`layout`].

pub mod cast;
mod chinese;
pub mod console;
pub mod html;
pub mod keys;
pub mod layout;
pub mod lesson;
pub mod model;
pub mod panel;
mod picker;
pub mod picture;
mod run;
mod steps;
pub mod text;
pub mod theme;
pub mod view;
pub mod words;

pub use chinese::{EVENTS, INSPECTED, VERDICTS};
pub use model::{Model, Msg, press, update};
pub use picker::{Picker, pick};
pub use run::{learn, run};
pub use view::view;
