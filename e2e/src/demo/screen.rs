//! What the demo prints: numbered steps, how long each took, and lines that are drawn over while something goes on.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::figures::span;

/// How often a line is printed while something goes on and the output is not a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The demo's output.
pub(super) struct Screen {
    terminal: bool,
    steps: usize,
    step: usize,
    started: Instant,
    step_started: Instant,
    /// Lines that the next ones are drawn over.
    drawn: usize,
    next_line: Instant,
}

impl Screen {
    /// A screen for so many steps, on the standard output.
    pub(super) fn new(steps: usize) -> Self {
        let now = Instant::now();
        let terminal = std::io::stdout().is_terminal();
        Self { terminal, steps, step: 0, started: now, step_started: now, drawn: 0, next_line: now }
    }

    pub(super) fn say(&mut self, text: &str) {
        self.drawn = 0;
        println!("{text}");
    }

    /// Begins the next step.
    pub(super) fn step(&mut self, what: &str) {
        self.step += 1;
        self.step_started = Instant::now();
        self.next_line = self.step_started + LINE_INTERVAL;
        self.say(&format!("\n[{}/{}] {what}", self.step, self.steps));
    }

    /// Something to know about the step.
    pub(super) fn note(&mut self, text: &str) {
        self.say(&format!("      {text}"));
    }

    /// Ends the step, with how long it took.
    pub(super) fn done(&mut self, what: &str) {
        self.note(&format!("{what} ({})", span(self.step_started.elapsed())));
    }

    /// How long everything has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Shows how something goes on: on a terminal `lines`, over those that were shown before, and elsewhere now and then
    /// the one `line`.
    pub(super) fn live(&mut self, lines: &[String], line: &str) {
        if self.terminal {
            self.draw(lines);
        } else if Instant::now() >= self.next_line {
            self.next_line += LINE_INTERVAL;
            self.note(line);
        }
    }

    /// The same for the last time, so that the final state stays on the screen.
    pub(super) fn last(&mut self, lines: &[String]) {
        if !self.terminal {
            self.drawn = 0;
        }
        self.draw(lines);
        self.drawn = 0;
    }

    fn draw(&mut self, lines: &[String]) {
        // Up to the first of the old lines, and clear from there.
        let mut text = if self.drawn > 0 { format!("\x1b[{}A\x1b[J", self.drawn) } else { String::new() };
        for line in lines {
            text.push_str("      ");
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = lines.len();
        let mut out = std::io::stdout().lock();
        // As with `println`, there is nobody left to tell when this fails.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
