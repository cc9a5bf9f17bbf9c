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
    /// What is older is not said any more.
    pub(crate) max_age: Option<Duration>,
}

/// A line that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) line: Line,
    /// When it is too old to be said.
    expires: Option<Instant>,
}

/// The lines that wait.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: Limits,
    lines: VecDeque<Waiting>,
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
    /// Left out, too, because they had waited for too long.
    pub(crate) too_old: u64,
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

    /// Takes a line in, of a message of this age. What does not fit is counted.
    pub(crate) fn push(&mut self, line: Line, age: Duration, now: Instant) {
        self.total.queued += 1;
        while self.lines.len() >= self.limits.messages || self.bytes + line.size() > self.limits.bytes {
            let oldest = if self.limits.keep_oldest { None } else { self.take() };
            self.total.left_out += 1;
            match oldest {
                Some(oldest) => self.note_left_out(oldest.line.category, now),
                None => return self.note_left_out(line.category, now),
            }
        }
        let expires = self.limits.max_age.and_then(|max| now.checked_add(max.saturating_sub(age)));
        self.bytes += line.size();
        self.lines.push_back(Waiting { line, expires });
    }

    /// The next line to say: that it is behind, if that is due, or else the oldest that waits and is not too old.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Waiting> {
        while self.lines.front().and_then(|oldest| oldest.expires).is_some_and(|at| at <= now)
            && let Some(oldest) = self.take()
        {
            self.total.too_old += 1;
            self.note_left_out(oldest.line.category, now);
        }
        let own = self.report(now).map(|text| Waiting { line: Line::own(text), expires: None });
        own.or_else(|| self.take())
    }

    /// Puts the line that was popped last back, because it could not be said.
    pub(crate) fn put_back(&mut self, waiting: Waiting) {
        self.bytes += waiting.line.size();
        self.lines.push_front(waiting);
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

    fn take(&mut self) -> Option<Waiting> {
        let waiting = self.lines.pop_front()?;
        self.bytes -= waiting.line.size();
        Some(waiting)
    }

    fn note_left_out(&mut self, category: String, now: Instant) {
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
        Queue::new(Limits { messages, bytes: 1 << 20, keep_oldest, condense, max_age: None })
    }

    fn fill(queue: &mut Queue, category: &str, count: usize, now: Instant) {
        for n in 0..count {
            queue.push(Line::terse(&format!("{category}.{n}"), "", None), Duration::ZERO, now);
        }
    }

    fn drained(queue: &mut Queue, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| next(queue, now)).collect()
    }

    fn next(queue: &mut Queue, now: Instant) -> Option<String> {
        queue.pop(now).map(|waiting| waiting.line.render(None))
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
        assert_eq!(next(&mut queue, now).unwrap(), "* backlogged by 50 messages");
        assert_eq!(next(&mut queue, now).unwrap(), "a.0 --  ");
        fill(&mut queue, "b", 11, now);
        assert_eq!(next(&mut queue, now).unwrap(), "* backlogged by 60 messages");
        let said = drained(&mut queue, now);
        assert!(said.len() == 60 && said.iter().all(|line| !line.starts_with('*')), "{said:?}");
        fill(&mut queue, "c", 20, now);
        assert_eq!(next(&mut queue, now).unwrap(), "* backlogged by 20 messages");
    }

    #[test]
    fn what_does_not_fit_is_the_oldest_or_the_newest_and_is_said() {
        for (keep_oldest, first) in [(false, "a.7 --  "), (true, "a.0 --  ")] {
            let (mut queue, now) = (queue(5, keep_oldest, false), Instant::now());
            fill(&mut queue, "a", 12, now);
            assert_eq!(next(&mut queue, now).unwrap(), "* backlogged by 5 messages, 7 left out");
            let said = drained(&mut queue, now);
            assert_eq!((said.len(), said[0].as_str()), (5, first));
            assert_eq!(queue.total(), Total { queued: 12, left_out: 7, ..Total::default() });
        }
    }

    #[test]
    fn an_endless_flood_is_reported_once_a_minute_and_at_its_end() {
        let (mut queue, start) = (queue(5, false, false), Instant::now());
        fill(&mut queue, "a", 6, start);
        assert!(next(&mut queue, start).unwrap().starts_with('*'));
        for _ in 0..10 {
            fill(&mut queue, "a", 6, start);
            assert!(next(&mut queue, start).unwrap().starts_with("a."));
        }
        fill(&mut queue, "a", 6, start + REPORT);
        assert!(next(&mut queue, start + REPORT).unwrap().starts_with('*'));
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
            next(&mut queue, later).unwrap(),
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
        let limits =
            Limits { messages: 1000, bytes: 4096, keep_oldest: false, condense: false, max_age: None };
        let (mut queue, now) = (Queue::new(limits), Instant::now());
        for _ in 0..100 {
            queue.push(Line::terse("a", &"x".repeat(500), None), Duration::ZERO, now);
            assert!(queue.bytes <= 4096);
        }
        assert!(queue.len() > 3);
        let sizes: usize = queue.lines.iter().map(|waiting| waiting.line.size()).sum();
        assert_eq!(queue.bytes, sizes);
        let mut tiny = Queue::new(Limits { bytes: 10, ..limits });
        tiny.push(Line::terse("a", "", None), Duration::ZERO, now);
        assert_eq!((tiny.len(), tiny.total().left_out), (0, 1));
    }

    #[test]
    fn what_has_waited_for_too_long_is_left_out_and_said_to_be() {
        const HOUR: Duration = Duration::from_secs(3600);
        let limits = Limits {
            messages: 100,
            bytes: 1 << 20,
            keep_oldest: false,
            condense: false,
            max_age: Some(HOUR),
        };
        let (mut queue, now) = (Queue::new(limits), Instant::now());
        queue.push(Line::terse("a", "", None), HOUR * 24, now);
        queue.push(Line::terse("b", "", None), HOUR / 2, now);
        queue.push(Line::terse("c", "", None), Duration::ZERO, now);
        let unsaid = queue.pop(now).unwrap();
        assert_eq!(unsaid.line.render(None), "* backlogged by 2 messages, 1 left out");
        let unsaid = queue.pop(now).unwrap();
        queue.put_back(unsaid);
        assert_eq!(drained(&mut queue, now + HOUR / 2), ["* backlogged by 1 messages, 1 left out", "c --  "]);
        assert_eq!(queue.total(), Total { queued: 3, too_old: 2, ..Total::default() });
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
