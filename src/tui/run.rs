//! The loop between a terminal and a model: the only wall clock.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ratatui::Frame;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event};
use ratatui::crossterm::execute;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::lesson::Class;
use super::{Model, Msg, update, view};
use crate::base::Dur;

/// One frame at 60 Hz, and how much of it the world may use.
const FRAME: Duration = Duration::from_micros(16_600);
const WORK: Duration = Duration::from_micros(10_000);
/// Dispatched events between looks at the clock: well under a millisecond.
const SLICE: u64 = 500;
/// Nothing moves: wait this long for a key.
pub(super) const IDLE: Duration = Duration::from_millis(500);

/// What can have the terminal.
pub(super) trait Screen {
    fn update(&mut self, msg: Msg);
    fn view(&self, frame: &mut Frame<'_>);
    /// Time passes in it.
    fn is_moving(&self) -> bool;
    /// There is something to compute.
    fn is_working(&self) -> bool;
    fn has_quit(&self) -> bool;
}

impl Screen for Model {
    fn update(&mut self, msg: Msg) {
        update(self, msg);
    }
    fn view(&self, frame: &mut Frame<'_>) {
        view(self, frame);
    }
    fn is_moving(&self) -> bool {
        self.playing
    }
    fn is_working(&self) -> bool {
        Model::is_working(self)
    }
    fn has_quit(&self) -> bool {
        self.quit
    }
}

/// Shows the model until the user quits. The terminal is restored however this ends.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn run(model: Model) -> io::Result<()> {
    show(model).map(|_| ())
}

/// Shows a lesson until the learner leaves; what became of it.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn learn(class: Class) -> io::Result<Class> {
    show(class)
}

fn show<S: Screen>(mut screen: S) -> io::Result<S> {
    with_terminal(|terminal| {
        let size = terminal.size()?;
        screen.update(Msg::Term(Event::Resize(size.width, size.height)));
        play(&mut screen, terminal)?;
        Ok(screen)
    })
}

/// Gives a full-screen terminal with a mouse to `f`; restores it after, in a panic too.
pub(super) fn with_terminal<T>(
    f: impl FnOnce(&mut ratatui::DefaultTerminal) -> io::Result<T>,
) -> io::Result<T> {
    let mut terminal = ratatui::try_init()?;
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let _ = execute!(io::stdout(), DisableMouseCapture, Show);
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

fn play(screen: &mut impl Screen, terminal: &mut ratatui::DefaultTerminal) -> io::Result<()> {
    let mut last = Instant::now();
    while !screen.has_quit() && !told_to_end() {
        let begun = Instant::now();
        let passed = begun - last;
        last = begun;
        screen.update(Msg::Tick(Dur::us(passed.as_micros().min(100_000) as u64)));
        while screen.is_working() && begun.elapsed() < WORK {
            screen.update(Msg::Work(SLICE));
        }
        screen.update(Msg::Present);
        terminal.draw(|frame| screen.view(frame))?;
        // What goes on in the background is worth a full frame's work too.
        let moving = screen.is_moving() || screen.is_working();
        let mut wait = if moving { FRAME.saturating_sub(begun.elapsed()) } else { IDLE };
        while poll(wait)? {
            screen.update(Msg::Term(event::read()?));
            wait = Duration::ZERO;
        }
        if !moving {
            // Time stood still while waiting.
            last = Instant::now();
        }
    }
    Ok(())
}
