//! What waits to be said on one channel: bounded, and never silent about what it leaves out.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::line::Line;

/// A backlog is said when it has grown by so many messages, as in the Python fedmsg.
const STEP: usize = 20;
/// While messages are left out, it is said this often.
const REPORT: Duration = Duration::from_secs(60);
/// So many categories are counted by name: they are named by whoever sends messages.
const CATEGORIES: usize = 8;

/// How much may wait, and what happens to what does not fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    /// Whether the newest message is left out, and not the oldest.
    pub(crate) keep_oldest: bool,
    /// Whether what was left out is told by category.
    pub(crate) condense: bool,
}

/// The lines that wait.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: Limits,
    lines: VecDeque<Line>,
    bytes: usize,
    /// How many were left out since it was last said, by category.
    left_out: BTreeMap<String, u64>,
    /// When the first of these was left out.
    since: Option<Instant>,
    /// When, and at which length, the backlog was last said.
    reported: Option<Instant>,
    said: usize,
    total: Total,
}

/// What became of all messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) queued: u64,
    pub(crate) left_out: u64,
    /// Said, and not passed on by the server.
    pub(crate) unheard: u64,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            lines: VecDeque::new(),
            bytes: 0,
            left_out: BTreeMap::new(),
            since: None,
            reported: None,
            said: 0,
            total: Total::default(),
        }
    }

    /// Takes a line in. What does not fit is counted.
    pub(crate) fn push(&mut self, line: Line, now: Instant) {
        self.total.queued += 1;
        while self.lines.len() >= self.limits.messages || self.bytes + line.size() > self.limits.bytes {
            let oldest = if self.limits.keep_oldest { None } else { self.take() };
            match oldest {
                Some(oldest) => self.leave_out(oldest.category, now),
                None => return self.leave_out(line.category, now),
            }
        }
        self.bytes += line.size();
        self.lines.push_back(line);
    }

    /// The next line to say: that it is behind, if that is due, or else the oldest that waits.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Line> {
        self.report(now).map(Line::own).or_else(|| self.take())
    }

    /// Puts the line that was popped last back, because it could not be said.
    pub(crate) fn put_back(&mut self, line: Line) {
        self.bytes += line.size();
        self.lines.push_front(line);
    }

    /// How many lines wait.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The server did not pass on what was said.
    pub(crate) fn count_unheard(&mut self) {
        self.total.unheard += 1;
    }

    /// What became of the messages so far.
    pub(crate) fn total(&self) -> Total {
        self.total
    }

    fn take(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.size();
        Some(line)
    }

    fn leave_out(&mut self, category: String, now: Instant) {
        self.total.left_out += 1;
        self.since.get_or_insert(now);
        let known = self.left_out.len() < CATEGORIES || self.left_out.contains_key(&category);
        *self.left_out.entry(if known { category } else { "other".to_owned() }).or_default() += 1;
    }

    fn report(&mut self, now: Instant) -> Option<String> {
        let waiting = self.lines.len();
        if waiting < STEP {
            self.said = 0;
        }
        let grown = waiting / STEP > self.said / STEP;
        let rested = self.reported.is_none_or(|at| now.duration_since(at) >= REPORT);
        if !grown && (self.left_out.is_empty() || (waiting > 0 && !rested)) {
            return None;
        }
        self.said = self.said.max(waiting);
        self.reported = Some(now);
        let left_out = std::mem::take(&mut self.left_out);
        let since = self.since.take().map(|since| now.duration_since(since));
        Some(match since {
            Some(since) if self.limits.condense => condensed(&left_out, since),
            _ => {
                let backlog = format!("* backlogged by {waiting} messages");
                match left_out.values().sum::<u64>() {
                    0 => backlog,
                    count => format!("{backlog}, {count} left out"),
                }
            }
        })
    }
}

/// `* 37 more koji messages, 1 more git message in the last minute`
fn condensed(left_out: &BTreeMap<String, u64>, since: Duration) -> String {
    let mut counts: Vec<_> = left_out.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let counts: Vec<_> = counts
        .iter()
        .map(|(category, count)| {
            format!("{count} more {category} message{}", if **count == 1 { "" } else { "s" })
        })
        .collect();
    let period = match since.as_secs() {
        ..=1 => "second".to_owned(),
        seconds @ ..60 => format!("{seconds} seconds"),
        60..120 => "minute".to_owned(),
        seconds => format!("{} minutes", seconds / 60),
    };
    format!("* {} in the last {period}", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(messages: usize, keep_oldest: bool, condense: bool) -> Queue {
        Queue::new(Limits { messages, bytes: 1 << 20, keep_oldest, condense })
    }

    fn fill(queue: &mut Queue, category: &str, count: usize, now: Instant) {
        for n in 0..count {
            queue.push(Line::terse(&format!("{category}.{n}"), "", None), now);
        }
    }

    fn drained(queue: &mut Queue, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| queue.pop(now)).map(|line| line.render(None)).collect()
    }

    #[test]
    fn a_short_queue_says_nothing_of_itself() {
        let (mut queue, now) = (queue(100, false, false), Instant::now());
        fill(&mut queue, "a", STEP - 1, now);
        let said = drained(&mut queue, now);
        assert_eq!(said.len(), STEP - 1);
        assert_eq!((said[0].as_str(), said[18].as_str()), ("a.0 --  ", "a.18 --  "));
    }

    #[test]
    fn a_backlog_is_said_when_it_has_grown_by_a_step() {
        let (mut queue, now) = (queue(1000, false, false), Instant::now());
        fill(&mut queue, "a", 50, now);
        assert_eq!(queue.pop(now).unwrap().render(None), "* backlogged by 50 messages");
        assert_eq!(queue.pop(now).unwrap().render(None), "a.0 --  ");
        fill(&mut queue, "b", 11, now);
        assert_eq!(queue.pop(now).unwrap().render(None), "* backlogged by 60 messages");
        let said = drained(&mut queue, now);
        assert!(said.len() == 60 && said.iter().all(|line| !line.starts_with('*')), "{said:?}");
        fill(&mut queue, "c", 20, now);
        assert_eq!(queue.pop(now).unwrap().render(None), "* backlogged by 20 messages");
    }

    #[test]
    fn what_does_not_fit_is_the_oldest_or_the_newest_and_is_said() {
        for (keep_oldest, first) in [(false, "a.7 --  "), (true, "a.0 --  ")] {
            let (mut queue, now) = (queue(5, keep_oldest, false), Instant::now());
            fill(&mut queue, "a", 12, now);
            assert_eq!(queue.pop(now).unwrap().render(None), "* backlogged by 5 messages, 7 left out");
            let said = drained(&mut queue, now);
            assert_eq!((said.len(), said[0].as_str()), (5, first));
            assert_eq!(queue.total(), Total { queued: 12, left_out: 7, unheard: 0 });
        }
    }

    #[test]
    fn an_endless_flood_is_reported_once_a_minute_and_at_its_end() {
        let (mut queue, start) = (queue(5, false, false), Instant::now());
        fill(&mut queue, "a", 6, start);
        assert!(queue.pop(start).unwrap().render(None).starts_with('*'));
        for _ in 0..10 {
            fill(&mut queue, "a", 6, start);
            assert!(queue.pop(start).unwrap().render(None).starts_with("a."));
        }
        fill(&mut queue, "a", 6, start + REPORT);
        assert!(queue.pop(start + REPORT).unwrap().render(None).starts_with('*'));
        fill(&mut queue, "a", 6, start + REPORT);
        let said = drained(&mut queue, start + REPORT);
        assert_eq!(said.len(), 6);
        assert_eq!(said[5], "* backlogged by 0 messages, 6 left out");
    }

    #[test]
    fn what_was_left_out_is_condensed_by_category() {
        let (mut queue, now) = (queue(1, true, true), Instant::now());
        fill(&mut queue, "git", 2, now);
        fill(&mut queue, "koji", 37, now);
        let later = now + Duration::from_secs(75);
        assert_eq!(
            queue.pop(later).unwrap().render(None),
            "* 37 more koji messages, 1 more git message in the last minute"
        );
        assert_eq!(drained(&mut queue, later), ["git.0 --  "]);
    }

    #[test]
    fn many_categories_cost_no_memory() {
        let (mut queue, now) = (queue(1, true, true), Instant::now());
        for n in 0..10_000 {
            fill(&mut queue, &format!("c{n}"), 1, now);
        }
        assert!(queue.left_out.len() <= CATEGORIES + 1);
        assert_eq!(queue.left_out.values().sum::<u64>(), 9_999);
    }

    #[test]
    fn bytes_are_limited_too() {
        let limits = Limits { messages: 1000, bytes: 4096, keep_oldest: false, condense: false };
        let (mut queue, now) = (Queue::new(limits), Instant::now());
        for _ in 0..100 {
            queue.push(Line::terse("a", &"x".repeat(500), None), now);
            assert!(queue.bytes <= 4096);
        }
        assert!(queue.len() > 3);
        let sizes: usize = queue.lines.iter().map(Line::size).sum();
        assert_eq!(queue.bytes, sizes);
        let mut tiny = Queue::new(Limits { bytes: 10, ..limits });
        tiny.push(Line::terse("a", "", None), now);
        assert_eq!((tiny.len(), tiny.total().left_out), (0, 1));
    }

    #[test]
    fn a_line_that_was_not_said_is_the_next_again() {
        let (mut queue, now) = (queue(5, false, false), Instant::now());
        fill(&mut queue, "a", 2, now);
        let line = queue.pop(now).unwrap();
        queue.put_back(line.clone());
        assert_eq!(queue.pop(now), Some(line));
    }
}
