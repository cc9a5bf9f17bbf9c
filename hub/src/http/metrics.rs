//! The hub's status as metrics: OpenMetrics for those who ask for it, as Prometheus does, and else the older text form
//! of Prometheus. `docs/reference/metrics.md` lists them.

use std::fmt::{self, Write};
use std::sync::Arc;

use control::{ConsumerState, ConsumerStatus, EndpointStatus, Severity, Status};
use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text form, version 0.0.4.
    Text,
}

impl Form {
    /// What fits this header `Accept`.
    pub(super) fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Writes them.
pub(super) fn render(status: Arc<Status>, form: Form) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics(status)));
    let mut written = String::with_capacity(1 << 14);
    text::encode(&mut written, &registry)?;
    match form {
        Form::OpenMetrics => Ok(written),
        Form::Text => older(&written),
    }
}

/// In the older form a counter is called by its whole name, and nothing is said of units and of the end.
fn older(metrics: &str) -> Result<String, fmt::Error> {
    let mut written = String::with_capacity(metrics.len());
    let mut help = "";
    for line in metrics.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            help = said;
        } else if let Some(said) = line.strip_prefix("# TYPE ") {
            let (name, kind) = said.split_once(' ').unwrap_or((said, "untyped"));
            let suffix = if kind == "counter" { "_total" } else { "" };
            let help = help.strip_prefix(name).unwrap_or_default();
            writeln!(written, "# HELP {name}{suffix}{help}\n# TYPE {name}{suffix} {kind}")?;
        } else if !line.starts_with('#') {
            writeln!(written, "{line}")?;
        }
    }
    Ok(written)
}

#[derive(Debug)]
struct Metrics(Arc<Status>);

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        hub(&self.0, &mut families)?;
        endpoints(&self.0.endpoints, &mut families)?;
        consumers(&self.0.consumers, &mut families)?;
        journal(&self.0, &mut families)?;
        process(&self.0, &mut families)
    }
}

/// A sample's labels.
type Labels<'a> = Vec<(&'a str, &'a str)>;

/// Families of metrics, written one after another.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, samples, |sample, value| {
            sample.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, samples, |sample, value| sample.encode_gauge(&value))
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.gauges(name, help, [(Labels::new(), value)])
    }

    fn family<'a, T>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels<'a>, T)>,
        encode: impl Fn(&mut MetricEncoder<'_>, T) -> fmt::Result,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in samples {
            match labels.is_empty() {
                true => encode(&mut family, value)?,
                false => encode(&mut family.encode_family(&labels)?, value)?,
            }
        }
        Ok(())
    }
}

fn hub(status: &Status, to: &mut Families<'_>) -> fmt::Result {
    let version = [(vec![("version", status.hub.version.as_str())], 1.0)];
    to.gauges("fedmsg_hub_build_info", "The version of the hub; always 1.", version)?;
    to.gauge("fedmsg_hub_ready", "Whether the hub does all that it is there for.", truth(status.is_ready()))?;
    let problems = status.problems.iter().map(|problem| {
        let severity = match problem.severity {
            Severity::Unready => "unready",
            Severity::Warning => "warning",
        };
        let about = problem.about.as_deref().unwrap_or("");
        (vec![("severity", severity), ("kind", problem.kind.word()), ("about", about)], 1.0)
    });
    to.gauges(
        "fedmsg_hub_problem",
        "Something is wrong, with a consumer or an endpoint, or the hub; 1 while it is.",
        problems,
    )?;
    to.counters(
        "fedmsg_hub_clock_jumps",
        "Jumps of this machine's clock since the hub started.",
        [(vec![], status.hub.clock_jumps)],
    )?;
    let reloads = &status.hub.reloads;
    let results = [("succeeded", reloads.succeeded), ("failed", reloads.failed)];
    to.counters(
        "fedmsg_hub_reloads",
        "Changes of the configuration while the hub ran, by result.",
        results.map(|(result, count)| (vec![("result", result)], count)),
    )?;
    to.gauge(
        "fedmsg_hub_configuration_generation",
        "Which configuration since the hub's start is in force; the first is 1.",
        reloads.generation as f64,
    )?;
    to.gauges(
        "fedmsg_hub_last_reload_timestamp_seconds",
        "When the configuration was last changed, or a change refused.",
        reloads.last.map(|last| (vec![], seconds(last))),
    )?;
    let intake = &status.intake;
    to.counters(
        "fedmsg_hub_received_messages",
        "Messages received, good and bad.",
        [(vec![], intake.messages)],
    )?;
    to.counters("fedmsg_hub_received_bytes", "Their bytes, topics and bodies.", [(vec![], intake.bytes)])?;
    to.counters(
        "fedmsg_hub_rejected_messages",
        "Messages that reached no consumer, by reason.",
        each("reason", &intake.rejected),
    )?;
    to.counters(
        "fedmsg_hub_untrusted_messages",
        "Messages whose signatures are missing or don't verify, where a consumer validates, by rule.",
        each("rule", &intake.untrusted),
    )
}

fn endpoints(endpoints: &[EndpointStatus], to: &mut Families<'_>) -> fmt::Result {
    let gauges = |value: fn(&EndpointStatus) -> Option<f64>| {
        endpoints.iter().filter_map(move |it| Some((vec![("endpoint", it.name.as_str())], value(it)?)))
    };
    let counters = |value: fn(&EndpointStatus) -> u64| {
        endpoints.iter().map(move |it| (vec![("endpoint", it.name.as_str())], value(it)))
    };
    let addresses = |value: fn(&control::AddressStatus) -> u64| {
        endpoints.iter().flat_map(move |endpoint| {
            endpoint.addresses.iter().map(move |address| {
                let labels =
                    vec![("endpoint", endpoint.name.as_str()), ("address", address.address.as_str())];
                (labels, value(address))
            })
        })
    };
    to.gauges(
        "fedmsg_hub_endpoint_connected",
        "Whether at least one address of the endpoint is connected and answers, or is bound.",
        gauges(|it| Some(truth(it.connected))),
    )?;
    to.counters(
        "fedmsg_hub_endpoint_received_messages",
        "Messages received from the endpoint, good and bad.",
        counters(|it| it.messages),
    )?;
    to.counters(
        "fedmsg_hub_endpoint_received_bytes",
        "Their bytes, topics and bodies.",
        counters(|it| it.bytes),
    )?;
    to.gauges(
        "fedmsg_hub_endpoint_last_message_timestamp_seconds",
        "When the last message came from the endpoint.",
        gauges(|it| it.last_message.map(seconds)),
    )?;
    to.gauges(
        "fedmsg_hub_endpoint_silent_seconds",
        "For how long nothing has come from the endpoint.",
        gauges(|it| Some(it.silent_seconds)),
    )?;
    to.counters(
        "fedmsg_hub_endpoint_rejected_messages",
        "Messages of the endpoint that reached no consumer, by reason.",
        labelled(endpoints, |it| (("endpoint", &it.name), "reason", &it.rejected)),
    )?;
    to.counters(
        "fedmsg_hub_endpoint_untrusted_messages",
        "Messages of the endpoint that are not trusted, by rule.",
        labelled(endpoints, |it| (("endpoint", &it.name), "rule", &it.untrusted)),
    )?;
    to.counters(
        "fedmsg_hub_endpoint_connects",
        "Connections made to an address; of a bound one, accepted.",
        addresses(|it| it.connects),
    )?;
    to.counters("fedmsg_hub_endpoint_disconnects", "Connections lost.", addresses(|it| it.disconnects))?;
    let attempts = addresses(|it| it.attempts.into()).map(|(labels, count)| (labels, count as f64));
    to.gauges(
        "fedmsg_hub_endpoint_failed_attempts",
        "Attempts to connect that failed since the address was last connected.",
        attempts,
    )
}

fn consumers(consumers: &[ConsumerStatus], to: &mut Families<'_>) -> fmt::Result {
    let gauges = |value: fn(&ConsumerStatus) -> f64| {
        consumers.iter().map(move |it| (vec![("consumer", it.place.name.as_str())], value(it)))
    };
    let counters = |value: fn(&ConsumerStatus) -> u64| {
        consumers.iter().map(move |it| (vec![("consumer", it.place.name.as_str())], value(it)))
    };
    to.gauges(
        "fedmsg_hub_consumer_running",
        "Whether the consumer gets messages.",
        gauges(|it| truth(it.state == ConsumerState::Running)),
    )?;
    to.counters(
        "fedmsg_hub_consumer_received_messages",
        "Messages that were for the consumer, each once.",
        counters(|it| it.received),
    )?;
    to.counters(
        "fedmsg_hub_consumer_handled_messages",
        "Messages that it finished, replayed and requeued ones included.",
        counters(|it| it.handled),
    )?;
    to.counters(
        "fedmsg_hub_consumer_failures",
        "Calls that did not finish their message, panics included.",
        counters(|it| it.failures),
    )?;
    to.counters(
        "fedmsg_hub_consumer_retries",
        "Attempts after a message's first.",
        counters(|it| it.retries),
    )?;
    to.counters(
        "fedmsg_hub_consumer_replayed_messages",
        "Messages that the operator had delivered again.",
        counters(|it| it.replayed),
    )?;
    to.counters(
        "fedmsg_hub_consumer_dropped_messages",
        "Messages that it did not finish, by reason.",
        labelled(consumers, |it| (("consumer", &it.place.name), "reason", &it.dropped)),
    )?;
    to.counters(
        "fedmsg_hub_consumer_counted",
        "What the plugin itself counts, by its name for it.",
        labelled(consumers, |it| (("consumer", &it.place.name), "name", &it.counted)),
    )?;
    to.gauges(
        "fedmsg_hub_consumer_lag_messages",
        "How many messages the consumer is behind.",
        gauges(|it| it.place.lag as f64),
    )?;
    to.gauges(
        "fedmsg_hub_consumer_lag_seconds",
        "For how long the oldest of these has been waiting.",
        gauges(|it| it.place.lag_seconds),
    )?;
    to.gauges(
        "fedmsg_hub_consumer_dead_letters",
        "Messages that it failed at for good, and that nobody has looked after.",
        gauges(|it| it.place.dead_letters as f64),
    )?;
    to.gauges(
        "fedmsg_hub_consumer_redelivering_messages",
        "Messages that it is to have again.",
        gauges(|it| it.place.redelivering as f64),
    )?;
    to.gauges(
        "fedmsg_hub_consumer_in_hand_seconds",
        "For how long the plugin has been at what it has in hand; 0 if it has nothing.",
        gauges(|it| it.in_hand_seconds.unwrap_or(0.0)),
    )?;
    let handling = consumers.iter().map(|it| (vec![("consumer", it.place.name.as_str())], &it.handling));
    let help = "How long a message takes the plugin; in a batch each counts with the batch's mean.";
    to.family(
        "fedmsg_hub_consumer_handling_seconds",
        help,
        MetricType::Histogram,
        handling,
        |sample, times| {
            let within: u64 = times.buckets.iter().map(|(_, count)| count).sum();
            let mut buckets = times.buckets.clone();
            buckets.push((f64::INFINITY, times.count - within));
            sample.encode_histogram::<NoLabelSet>(times.sum_seconds, times.count, &buckets, None)
        },
    )
}

fn journal(status: &Status, to: &mut Families<'_>) -> fmt::Result {
    let journal = &status.journal;
    to.gauge("fedmsg_hub_journal_messages", "Messages in the journal.", journal.messages as f64)?;
    to.gauge(
        "fedmsg_hub_journal_disk_bytes",
        "Of messages and outcomes, on disk.",
        journal.disk_bytes as f64,
    )?;
    let optional = |bytes: Option<u64>| bytes.map(|bytes| (vec![], bytes as f64));
    to.gauges(
        "fedmsg_hub_journal_disk_free_bytes",
        "What is free on that disk.",
        optional(journal.disk_free_bytes),
    )?;
    to.gauges("fedmsg_hub_journal_memory_bytes", "Of messages in memory.", optional(journal.memory_bytes))?;
    to.gauges(
        "fedmsg_hub_journal_oldest_timestamp_seconds",
        "When the oldest message was received.",
        journal.oldest.map(|time| (vec![], seconds(time))),
    )?;
    let dropped = [("oldest", journal.dropped_oldest), ("newest", journal.dropped_newest)];
    let dropped = dropped.into_iter().filter_map(|(which, count)| Some((vec![("which", which)], count?)));
    to.counters(
        "fedmsg_hub_journal_dropped_messages",
        "Messages dropped for want of memory; only with journal.mode = \"memory\".",
        dropped,
    )?;
    let trouble = truth(journal.trouble.is_some());
    to.gauge("fedmsg_hub_journal_trouble", "Whether the journal cannot be written, or is full.", trouble)
}

fn process(status: &Status, to: &mut Families<'_>) -> fmt::Result {
    let process = &status.process;
    to.gauge("process_resident_memory_bytes", "Memory that is in use.", process.resident_bytes as f64)?;
    to.gauge("process_open_fds", "Open files, sockets included.", process.open_files as f64)?;
    to.gauge("process_max_fds", "As many may be open.", process.max_files as f64)?;
    to.gauge("process_threads", "Threads.", process.threads as f64)?;
    to.gauge("process_start_time_seconds", "When the hub was started.", seconds(status.hub.started))?;
    let cpu = [(vec![], process.cpu_seconds)];
    to.family(
        "process_cpu_seconds",
        "The time that processors have worked for it.",
        MetricType::Counter,
        cpu,
        |sample, value| sample.encode_counter::<NoLabelSet, _, u64>(&value, None),
    )
}

/// A counter for each word.
fn each<'a>(
    label: &'static str,
    counts: impl IntoIterator<Item = (&'a String, &'a u64)>,
) -> impl Iterator<Item = (Labels<'a>, u64)> {
    counts.into_iter().map(move |(word, count)| (vec![(label, word.as_str())], *count))
}

/// A counter for each of these and each word.
fn labelled<'a, T>(
    all: &'a [T],
    of: impl Fn(&'a T) -> ((&'static str, &'a String), &'static str, &'a std::collections::BTreeMap<String, u64>),
) -> Vec<(Labels<'a>, u64)> {
    let mut samples = Vec::new();
    for it in all {
        let ((label, name), word, counts) = of(it);
        let counts = each(word, counts);
        samples.extend(counts.map(|(mut labels, count)| {
            labels.insert(0, (label, name.as_str()));
            (labels, count)
        }));
    }
    samples
}

fn truth(it_is: bool) -> f64 {
    f64::from(u8::from(it_is))
}

/// Seconds since 1970.
fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}
