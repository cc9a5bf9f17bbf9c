//! What a check has found out.

use std::fmt;

use serde::{Serialize, Serializer};
use settings::Origin;

use crate::exit::Exit;

/// Something that somebody has to see to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind it is, for programs.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// Where the key was written that it is about; none if nobody wrote it.
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    pub place: Option<Origin>,
    /// What is wrong, and with what.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// It works, but not as it was meant, or not for long.
    Warning,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $exit:ident;)*) => {
        /// The kinds of findings. The operators' guide has a table of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for it in JSON and in the guide.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// How `check` ends if the finding is an error: as the hub would, where it would not start.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Self::$variant => Exit::$exit,)* }
            }
        }
    };
}

kinds! {
    /// A key that is unknown, missing, or has a value that cannot be.
    Configuration = "configuration", Config;
    /// A file in a plugin folder that is no plugin for this hub.
    Plugin = "plugin", Plugin;
    /// A plugin folder that was named and is not there.
    PluginFolder = "plugin_folder", Config;
    /// No plugin is installed.
    NoPlugin = "no_plugin", Config;
    /// No consumer is enabled.
    NoConsumer = "no_consumer", Config;
    /// No message can come.
    NoEndpoint = "no_endpoint", Config;
    /// An address under two names.
    EndpointShared = "endpoint_shared", Config;
    /// An address to connect to that names no place.
    EndpointWildcard = "endpoint_wildcard", Config;
    /// An address to bind that is taken, or not to be had.
    CannotBind = "cannot_bind", Address;
    /// A host name that does not resolve.
    Unresolvable = "unresolvable", Failed;
    /// An address where nobody answers.
    Unreachable = "unreachable", Failed;
    /// An address where something answers that cannot be subscribed to.
    NotABus = "not_a_bus", Config;
    /// A certificate or list of the authority.
    Authority = "authority", Config;
    /// A key pair to sign with.
    SigningKey = "signing_key", Config;
    /// Rules without effect, or topics without rules.
    RoutingPolicy = "routing_policy", Config;
    /// A state directory that the hub cannot use.
    StateDir = "state_dir", State;
    /// What the hub relies on can be written by anybody.
    OpenToAll = "open_to_all", Config;
    /// A secret can be read by anybody.
    SecretExposed = "secret_exposed", Config;
    /// The disk has less room than the journal may take.
    DiskSpace = "disk_space", State;
    /// This machine's clock.
    Clock = "clock", Failed;
    /// The clocks of others, as their messages show them.
    ClockSkew = "clock_skew", Failed;
    /// A consumer whose topics nothing has matched.
    Unmatched = "unmatched", Config;
    /// Messages are kept for a consumer that does not run.
    StaleCursor = "stale_cursor", State;
    /// Messages that some consumer failed at for good.
    DeadLetters = "dead_letters", State;
    /// A consumer that is far behind.
    Behind = "behind", State;
    /// More endpoints than libzmq has sockets for.
    Sockets = "sockets", Config;
    /// More sockets than the system lets this process open.
    OpenFiles = "open_files", Failed;
    /// The system does not let the hub watch its files.
    Inotify = "inotify", Failed;
    /// What the running hub says is wrong with it.
    RunningHub = "running_hub", Failed;
    /// The state directory's hub cannot be asked, or its journal not be read.
    History = "history", State;
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Finding {
    /// Something that does not work.
    pub fn error(kind: Kind, what: impl fmt::Display, mend: impl fmt::Display) -> Self {
        Self { kind, severity: Severity::Error, place: None, what: what.to_string(), mend: mend.to_string() }
    }

    /// Something that works, but not as it was meant, or not for long.
    pub fn warning(kind: Kind, what: impl fmt::Display, mend: impl fmt::Display) -> Self {
        Self { severity: Severity::Warning, ..Self::error(kind, what, mend) }
    }

    /// It is about a key that was written there.
    #[must_use]
    pub fn at(self, origin: Origin) -> Self {
        let place = (origin != Origin::Default).then_some(origin);
        Self { place: place.or(self.place), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, place, what, mend, .. } = self;
        write!(f, "{}: ", severity.word())?;
        if let Some(place) = place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{what}; {mend}")
    }
}

fn as_text<S: Serializer>(place: &Option<Origin>, serializer: S) -> Result<S::Ok, S::Error> {
    match place {
        Some(place) => serializer.collect_str(place),
        None => serializer.serialize_none(),
    }
}
