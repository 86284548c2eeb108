// SPDX-License-Identifier: GPL-2.0-only
//! The live view of `rvsctl top`: `state` is what keys change, `draw` how it looks; here is the loop, and
//! the terminal, which is given back whatever happens.

mod draw;
mod state;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Zoned;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::DefaultTerminal;

use crate::error::{Error, Failure};
use crate::interrupt::Interrupt;
use crate::model::{Counted, Pace, Reading};
use draw::Surroundings;
use state::{State, Wish};

/// How the view begins.
pub struct Options {
    pub interval: Duration,
    pub filter: String,
    pub netns: Option<String>,
    pub has_color: bool,
}

/// The first rates are shown after this time.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
/// At least so often it is looked whether the process was asked to end.
const GLANCE: Duration = Duration::from_millis(200);
/// After this time without effect, the process is ended however it is. `crossterm` reads the end of a
/// terminal that is gone without end.
const GRACE: Duration = Duration::from_secs(1);

/// The whole terminal, in its raw mode. Dropped, it is again as it was; a panic also gives it back.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows what `read` gives until the user has enough, or the process is asked to end.
pub fn run(
    options: Options,
    mut read: impl FnMut() -> Result<Reading, Failure>,
) -> Result<(), Error> {
    let is_over = Arc::new(AtomicBool::new(false));
    watch_for_end(is_over.clone())?;
    let first = read()?;
    let mut earlier = Counted::of(&first);
    let mut pace = Pace::since(&earlier, first);
    let mut state = State::new(options.interval.as_secs(), options.filter);
    let mut next = Instant::now() + FIRST_INTERVAL;
    let mut time = now();
    let mut screen = Screen::open()?;
    loop {
        let around = Surroundings {
            netns: options.netns.as_deref(),
            time: time.clone(),
            has_color: options.has_color,
        };
        screen
            .0
            .draw(|frame| draw::draw(frame, &mut state, &pace, &around))?;
        match wait(&mut state, next, &is_over)? {
            Wish::Quit => return Ok(()),
            Wish::Refresh => next = Instant::now(),
            Wish::Nothing => {}
        }
        if Instant::now() >= next && !state.is_paused {
            let later = read()?;
            let counted = Counted::of(&later);
            pace = Pace::since(&earlier, later);
            earlier = counted;
            time = now();
            next = Instant::now() + Duration::from_secs(state.interval);
        }
    }
}

/// Says so when the process is asked to end, or its terminal is gone, and sees to it.
fn watch_for_end(is_over: Arc<AtomicBool>) -> io::Result<()> {
    let interrupt = Interrupt::catch()?;
    std::thread::Builder::new().spawn(move || {
        // Whatever ends the waiting, there is nobody to show anything.
        let _ = interrupt.wait_for_end(&io::stdout());
        is_over.store(true, Ordering::Relaxed);
        std::thread::sleep(GRACE);
        ratatui::restore();
        std::process::exit(0);
    })?;
    Ok(())
}

fn now() -> String {
    Zoned::now().strftime("%H:%M:%S").to_string()
}

/// Waits for a key, another size of the terminal, the time of the next reading, or the end.
fn wait(state: &mut State, next: Instant, is_over: &AtomicBool) -> io::Result<Wish> {
    loop {
        if is_over.load(Ordering::Relaxed) {
            return Ok(Wish::Quit);
        }
        let left = next.saturating_duration_since(Instant::now());
        let is_due = left.is_zero() && !state.is_paused;
        let time = if state.is_paused {
            GLANCE
        } else {
            left.min(GLANCE)
        };
        if event::poll(time)? {
            return Ok(match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => state.key(key),
                _ => Wish::Nothing,
            });
        }
        if is_due {
            return Ok(Wish::Nothing);
        }
    }
}
