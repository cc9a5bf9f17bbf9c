//! What becomes of each key of the Python fedmsg's configuration. `docs/guide/moving-from-python.md` says the same to
//! people; a test holds one against the other.

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// A string, under this key here.
    Text(&'static str),
    /// True or false, or a number that is 0 for false.
    Flag(&'static str),
    /// A number that is at least the second.
    Number(&'static str, i64),
    /// A number of this unit of time.
    Duration(&'static str, &'static str),
    /// A file. Python also takes a URL there.
    File(&'static str),
    /// The addresses of one endpoint.
    Addresses(&'static str),
    /// The addresses of endpoints, by name.
    Endpoints,
    /// Domains whose SRV records name addresses.
    Services,
    /// Strings by name.
    Names(&'static str),
    /// Who may sign what: lists of strings by topic.
    Policy(&'static str),
    /// Whatever it is, under this key here.
    Same(&'static str),
    /// The port that the gateway binds.
    GatewayPort,
    /// Whether to connect to a relay.
    Active,
    /// Names of ways to sign.
    Backends,
    /// Python's `logging.config`.
    Logging,
    /// Nothing has to be said here.
    Needless,
    /// There is nothing like it here, for this reason.
    Absent(&'static str),
}

use Fate::{
    Absent, Active, Addresses, Backends, Duration, Endpoints, File, Flag, GatewayPort, Logging, Names,
    Needless, Number, Policy, Same, Services, Text,
};

const URL_CACHE: Fate =
    Absent("authority and revocation list are files here, not URLs; fetch them by a timer of the system");
const BACKLOG: Fate = Absent(
    "what was missed while the hub was down is not fetched from datagrepper; the journal keeps what was received",
);
const NO_STOMP: Fate = Absent("messages go by ZeroMQ alone");
const NO_WEBSOCKET: Fate = Absent("there is no server for browsers");

/// All keys that the Python fedmsg knows.
pub(super) const KEYS: &[(&str, Fate)] = &[
    ("topic_prefix", Text("topic_prefix")),
    ("topic_prefix_re", Needless),
    ("environment", Text("environment")),
    ("endpoints", Endpoints),
    ("relay_inbound", Addresses("relay_inbound")),
    ("relay_outbound", Addresses("relay_outbound")),
    ("srv_endpoints", Services),
    ("replay_endpoints", Absent("publishers are not asked to send again")),
    ("persistent_store", Absent("nobody is answered what was sent before")),
    ("active", Active),
    ("name", Needless),
    ("mute", Needless),
    ("timeout", Needless),
    ("print_config", Needless),
    ("post_init_sleep", Needless),
    ("high_water_mark", Number("zmq.high_water_mark", 0)),
    ("io_threads", Number("zmq.io_threads", 1)),
    ("zmq_enabled", Needless),
    ("zmq_strict", Needless),
    ("zmq_subscribe_endpoints", Needless),
    ("zmq_subscribe_method", Needless),
    ("zmq_publish_endpoints", Absent("what plugins publish goes where [publish] says")),
    ("zmq_linger", Duration("zmq.linger", "ms")),
    ("zmq_reconnect_ivl", Duration("zmq.reconnect_ivl", "ms")),
    ("zmq_reconnect_ivl_max", Duration("zmq.reconnect_ivl_max", "ms")),
    ("zmq_tcp_keepalive", Flag("zmq.tcp_keepalive")),
    ("zmq_tcp_keepalive_cnt", Number("zmq.tcp_keepalive_cnt", 1)),
    ("zmq_tcp_keepalive_idle", Duration("zmq.tcp_keepalive_idle", "s")),
    ("zmq_tcp_keepalive_intvl", Duration("zmq.tcp_keepalive_intvl", "s")),
    ("sign_messages", Flag("crypto.sign_messages")),
    ("validate_signatures", Flag("crypto.validate_signatures")),
    ("crypto_backend", Backends),
    ("crypto_validate_backends", Backends),
    ("ssldir", Text("crypto.ssldir")),
    ("ca_cert_location", File("crypto.ca_cert_location")),
    ("ca_cert_cache", URL_CACHE),
    ("ca_cert_cache_expiry", URL_CACHE),
    ("crl_location", File("crypto.crl_location")),
    ("crl_cache", URL_CACHE),
    ("crl_cache_expiry", URL_CACHE),
    ("certnames", Names("crypto.certnames")),
    ("certname", Absent("the certificate is found by service and host, in crypto.certnames")),
    ("cert_prefix", Text("crypto.cert_prefix")),
    ("routing_policy", Policy("crypto.routing_policy")),
    ("routing_nitpicky", Flag("crypto.routing_nitpicky")),
    ("gpg_home", Absent("signatures by gpg are refused")),
    ("gpg_keys", Absent("signatures by gpg are refused")),
    ("gpg_signing_key", Absent("signatures by gpg are refused")),
    ("logging", Logging),
    ("fedmsg.consumers.dummy.enabled", Flag("fedmsg.consumers.dummy.enabled")),
    ("fedmsg.consumers.relay.enabled", Flag("fedmsg.consumers.relay.enabled")),
    ("fedmsg.consumers.gateway.enabled", Flag("fedmsg.consumers.gateway.enabled")),
    ("fedmsg.consumers.gateway.port", GatewayPort),
    ("fedmsg.consumers.gateway.high_water_mark", Number("fedmsg.consumers.gateway.high_water_mark", 1)),
    ("fedmsg.consumers.ircbot.enabled", Flag("fedmsg.consumers.ircbot.enabled")),
    ("irc", Same("fedmsg.consumers.ircbot.irc")),
    ("irc_color_lookup", Names("fedmsg.consumers.ircbot.irc_color_lookup")),
    ("irc_default_color", Same("fedmsg.consumers.ircbot.irc_default_color")),
    ("irc_method", Same("fedmsg.consumers.ircbot.irc_method")),
    ("status_directory", BACKLOG),
    ("datagrepper_url", BACKLOG),
    ("skip_last_message", BACKLOG),
    ("moksha.workers_per_consumer", Absent("each consumer has its own: write `workers = N` into its table")),
    ("moksha.monitoring.socket", Text("monitoring.socket")),
    ("moksha.monitoring.socket.mode", Text("monitoring.socket_mode")),
    ("moksha.threadpool_size", Needless),
    ("moksha.blocking_mode", Needless),
    ("moksha.livesocket.backend", NO_WEBSOCKET),
    ("moksha.livesocket.websocket.port", NO_WEBSOCKET),
    ("moksha.livesocket.websocket.interface", NO_WEBSOCKET),
    ("stomp_uri", NO_STOMP),
    ("stomp_user", NO_STOMP),
    ("stomp_pass", NO_STOMP),
    ("stomp_ssl_crt", NO_STOMP),
    ("stomp_ssl_key", NO_STOMP),
    ("stomp_broker", NO_STOMP),
    ("stomp_port", NO_STOMP),
    ("stomp_queue", NO_STOMP),
    ("stomp_heartbeat", NO_STOMP),
    ("stomp_ack_mode", NO_STOMP),
    ("stomp_delay", NO_STOMP),
    ("stomp_send_explicit_nacks", NO_STOMP),
    ("stomp_unescape_headers", NO_STOMP),
    ("amqp_broker", NO_STOMP),
];

/// What becomes of a key; `None` if the Python fedmsg does not know it either.
pub(super) fn fate(key: &str) -> Option<Fate> {
    KEYS.iter().find(|(name, _)| *name == key).map(|(_, fate)| *fate)
}
