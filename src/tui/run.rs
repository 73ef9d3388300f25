//! The loop between a terminal and a model: the only wall clock.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Model, Msg, update, view};
use crate::base::Dur;

/// One frame at 60 Hz, and how much of it the world may use.
const FRAME: Duration = Duration::from_micros(16_600);
const WORK: Duration = Duration::from_micros(10_000);
/// Dispatched events between looks at the clock: well under a millisecond.
const SLICE: u64 = 500;
/// Nothing moves: wait this long for a key.
pub(super) const IDLE: Duration = Duration::from_millis(500);

/// Shows the model until the user quits. The terminal is restored however this ends.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn run(mut model: Model) -> io::Result<()> {
    with_terminal(|terminal| {
        let size = terminal.size()?;
        model.size = (size.width, size.height);
        play(&mut model, terminal)
    })
}

/// Gives a full-screen terminal with a mouse to `f`; restores it after, in a panic too.
pub(super) fn with_terminal<T>(
    f: impl FnOnce(&mut ratatui::DefaultTerminal) -> io::Result<T>,
) -> io::Result<T> {
    let mut terminal = ratatui::try_init()?;
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let _ = execute!(io::stdout(), DisableMouseCapture);
        hook(info);
    }));
    execute!(io::stdout(), EnableMouseCapture)?;
    let result = f(&mut terminal);
    execute!(io::stdout(), DisableMouseCapture)?;
    ratatui::try_restore()?;
    result
}

/// Whether there is something to read; a signal is not.
pub(super) fn poll(wait: Duration) -> io::Result<bool> {
    match event::poll(wait) {
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(false),
        other => other,
    }
}

/// Whether the process was asked to end: the terminal is restored before it does.
pub(super) fn told_to_end() -> bool {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let flag = FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        // With SIGHUP the terminal is gone, and there is nothing to restore.
        for signal in [SIGTERM, SIGINT] {
            // Without it the signal ends the process as ever.
            let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
        }
        flag
    });
    flag.load(Ordering::Relaxed)
}

fn play(model: &mut Model, terminal: &mut ratatui::DefaultTerminal) -> io::Result<()> {
    let mut last = Instant::now();
    while !model.quit && !told_to_end() {
        let begun = Instant::now();
        let passed = begun - last;
        last = begun;
        update(model, Msg::Tick(Dur::us(passed.as_micros().min(100_000) as u64)));
        while model.is_working() && begun.elapsed() < WORK {
            update(model, Msg::Work(SLICE));
        }
        update(model, Msg::Present);
        terminal.draw(|frame| view(model, frame))?;
        // What goes on in the background is worth a full frame's work too.
        let moving = model.playing || model.is_working();
        let mut wait = if moving { FRAME.saturating_sub(begun.elapsed()) } else { IDLE };
        while poll(wait)? {
            update(model, Msg::Term(event::read()?));
            wait = Duration::ZERO;
        }
        if !moving {
            // Time stood still while waiting.
            last = Instant::now();
        }
    }
    Ok(())
}
