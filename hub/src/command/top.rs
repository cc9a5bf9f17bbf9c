//! `fedmsg-hub top`: the running hub, live on the terminal.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use control::{Access, ConsumerStatus, EndpointStatus, Severity, Status};
use crossbeam_channel::{Receiver, bounded};
use indicatif::{HumanBytes, HumanCount};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Paragraph, Row, Table, Wrap};
use ratatui::{DefaultTerminal, Frame};

use super::Failure;
use super::status::{self, seconds};

/// Watch the running hub, live on the terminal: consumers, how far they are behind, rates, endpoints, problems.
///
/// Asks the hub once a second. `q` quits. When the hub ends, it waits for the next one.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:\n  fedmsg-hub top")]
pub struct Top {}

/// How often the hub is asked.
const PERIOD: Duration = Duration::from_secs(1);

/// How often it is looked for an answer.
const GLANCE: Duration = Duration::from_millis(100);

/// A hub that has not answered for so long is said not to.
const PATIENCE: Duration = Duration::from_secs(3);

/// As many problems are shown.
const MOST_PROBLEMS: usize = 5;

/// What was last seen.
#[derive(Debug, Default)]
struct Seen {
    now: Option<Status>,
    before: Option<Status>,
    /// When an answer came, or why there is none.
    heard: Option<Instant>,
    /// Why there is nothing to be seen now.
    trouble: Option<String>,
}

impl Top {
    pub(super) fn run(&self, state_directory: &Path) -> Result<(), Failure> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(Failure::NoTerminal);
        }
        // What is wrong from the beginning is said where it stays to be read.
        let first = status::ask(&Access::find(state_directory)?)?;
        let mut terminal = ratatui::try_init().map_err(draw)?;
        let seen = Seen { now: Some(first), heard: Some(Instant::now()), ..Seen::default() };
        let watched = watch(&mut terminal, state_directory, seen);
        let restored = ratatui::try_restore();
        watched.and(restored).map_err(draw)
    }
}

fn draw(source: io::Error) -> Failure {
    Failure::Stream { doing: "draw on the terminal", source }
}

fn watch(terminal: &mut DefaultTerminal, state_directory: &Path, mut seen: Seen) -> io::Result<()> {
    let told = ask_on_a_thread(state_directory.to_owned())?;
    loop {
        terminal.draw(|frame| seen.show(frame))?;
        // No call waits for a key and an answer at once.
        if event::poll(GLANCE)?
            && let Event::Key(key) = event::read()?
            && is_end(key)
        {
            return Ok(());
        }
        for asked in told.try_iter() {
            seen.heard = Some(Instant::now());
            match asked {
                Ok(status) => seen.take(status),
                Err(failure) => seen.trouble = Some(failure.to_string()),
            }
        }
    }
}

/// Asks again and again, so that a hub that does not answer holds up no key.
fn ask_on_a_thread(state_directory: PathBuf) -> io::Result<Receiver<Result<Status, Failure>>> {
    let (tell, told) = bounded(1);
    let ask = move || {
        loop {
            thread::park_timeout(PERIOD);
            let asked = Access::find(&state_directory).map_err(Failure::from);
            if tell.send(asked.and_then(|hub| status::ask(&hub))).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("ask".to_owned()).spawn(ask)?;
    Ok(told)
}

fn is_end(key: KeyEvent) -> bool {
    let interrupts = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
    key.kind == KeyEventKind::Press && (interrupts || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}

impl Seen {
    fn take(&mut self, status: Status) {
        // Numbers of another hub have nothing to do with those of this one.
        self.before = self.now.take().filter(|before| before.hub.started == status.hub.started);
        self.now = Some(status);
        self.trouble = None;
    }

    /// By how much a number grows in a second.
    fn rate(&self, number: impl Fn(&Status) -> Option<u64>) -> Option<f64> {
        let (now, before) = (self.now.as_ref()?, self.before.as_ref()?);
        let time = now.hub.uptime_seconds - before.hub.uptime_seconds;
        let grown = number(now)?.saturating_sub(number(before)?);
        (time > 0.0).then(|| grown as f64 / time)
    }

    fn show(&self, frame: &mut Frame<'_>) {
        let Some(status) = &self.now else { return };
        let problems = self.problems(status);
        let [head, consumers, endpoints, wrong, foot] = Layout::vertical([
            Constraint::Length(4),
            Constraint::Min(3),
            Constraint::Length(rows(status.endpoints.len(), 8)),
            Constraint::Length(rows(problems.lines.len(), MOST_PROBLEMS as u16)),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(self.head(status), head);
        self.consumers(status, frame, consumers);
        self.endpoints(status, frame, endpoints);
        frame.render_widget(Paragraph::new(problems).wrap(Wrap { trim: true }), wrong);
        frame.render_widget(Line::from("q quits").dim(), foot);
    }

    fn head(&self, status: &Status) -> Text<'_> {
        let Status { hub, intake, journal, process, .. } = status;
        let state = match (&self.trouble, status.is_ready()) {
            (Some(_), _) => "GONE".red().bold(),
            (None, true) => "ready".green().bold(),
            (None, false) => "NOT READY".red().bold(),
        };
        let up =
            format!("  up {}, version {}, process {}", seconds(hub.uptime_seconds), hub.version, hub.pid);
        let received = format!(
            "received {} messages, {} ({}/s)",
            HumanCount(intake.messages),
            HumanBytes(intake.bytes),
            figure(self.rate(|status| Some(status.intake.messages)))
        );
        let kept = format!(
            "journal  {}{}; memory {}",
            HumanBytes(journal.disk_bytes),
            journal.disk_free_bytes.map(|free| format!(", {} free", HumanBytes(free))).unwrap_or_default(),
            HumanBytes(process.resident_bytes),
        );
        Text::from(vec![
            Line::from(vec!["fedmsg-hub ".bold(), state, up.into()]),
            Line::from(received),
            Line::from(kept),
        ])
    }

    fn consumers(&self, status: &Status, frame: &mut Frame<'_>, area: Rect) {
        let mut consumers: Vec<&ConsumerStatus> = status.consumers.iter().collect();
        // Who is farthest behind is looked for.
        consumers.sort_by_key(|consumer| std::cmp::Reverse(consumer.place.lag));
        let rows = consumers.into_iter().map(|consumer| {
            let name = &consumer.place.name;
            let rate =
                self.rate(|status| Some(status.consumers.iter().find(|it| it.place.name == *name)?.handled));
            let [name, state, handled, failed, lag, waiting, in_hand, dead] = status::consumer(consumer);
            let is_well = consumer.state == control::ConsumerState::Running;
            let style = if is_well { Style::new() } else { Style::new().red() };
            Row::new([name, state, figure(rate), handled, failed, lag, waiting, in_hand, dead]).style(style)
        });
        let widths = [16, 8, 8, 10, 7, 10, 7, 7, 4];
        let head =
            Row::new(["CONSUMER", "STATE", "PER S", "HANDLED", "FAILED", "LAG", "FOR", "IN HAND", "DEAD"]);
        frame.render_widget(Table::new(rows, widths.map(Constraint::Max)).header(head.bold()), area);
    }

    fn endpoints(&self, status: &Status, frame: &mut Frame<'_>, area: Rect) {
        let mut endpoints: Vec<&EndpointStatus> = status.endpoints.iter().collect();
        // Where there are more than fit, those that are down are seen.
        endpoints.sort_by_key(|endpoint| endpoint.connected);
        let rows = endpoints.into_iter().map(|endpoint| {
            let name = &endpoint.name;
            let rate =
                self.rate(|status| Some(status.endpoints.iter().find(|it| it.name == *name)?.messages));
            let [name, state, since, messages, last, rejected, untrusted] = status::endpoint(endpoint);
            let style = if endpoint.connected { Style::new() } else { Style::new().yellow() };
            Row::new([name, state, since, figure(rate), messages, last, rejected, untrusted]).style(style)
        });
        let widths = [16, 18, 8, 8, 10, 10, 8, 9];
        let head =
            Row::new(["ENDPOINT", "STATE", "FOR", "PER S", "MESSAGES", "LAST", "REJECTED", "UNTRUSTED"]);
        frame.render_widget(Table::new(rows, widths.map(Constraint::Max)).header(head.bold()), area);
    }

    fn problems(&self, status: &Status) -> Text<'_> {
        let mut lines: Vec<Line<'_>> = Vec::new();
        if let Some(trouble) = &self.trouble {
            lines.push(Line::from(trouble.clone()).red());
        }
        let silence = self.heard.map(|heard| heard.elapsed()).filter(|silence| *silence > PATIENCE);
        if let Some(silence) = silence {
            lines.push(Line::from(format!("the hub has not answered for {} s", silence.as_secs())).red());
        }
        lines.extend(status.problems.iter().map(|problem| match problem.severity {
            Severity::Unready => Line::from(problem.message.clone()).red(),
            Severity::Warning => Line::from(problem.message.clone()).yellow(),
        }));
        if lines.len() > MOST_PROBLEMS {
            let more = lines.split_off(MOST_PROBLEMS - 1).len();
            lines.push(Line::from(format!("and {more} more: fedmsg-hub status")).yellow());
        }
        Text::from(lines)
    }
}

/// The lines of a part with so many rows; none, if it has none. A line before it stays free.
fn rows(count: usize, most: u16) -> u16 {
    u16::try_from(count).unwrap_or(most).min(most).saturating_add(u16::from(count > 0) * 2)
}

fn figure(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"))
}
