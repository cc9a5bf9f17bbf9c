//! Asks a service on the web for a shorter link.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use plugin_api::tracing;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

/// A service that did not answer is left in peace for so long.
const REST: Duration = Duration::from_secs(60);
/// Whatever is longer is no short link.
const LONGEST_ANSWER: u64 = 400;

/// A service that answers a GET with a short link and nothing else, as da.gd does.
#[derive(Debug, Clone)]
pub(crate) struct Shortener {
    agent: Agent,
    template: String,
    failed: Arc<Mutex<Option<Instant>>>,
}

impl Shortener {
    pub(crate) fn new(template: &str, timeout: Duration) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let agent = Agent::config_builder().timeout_global(Some(timeout)).tls_config(tls).build();
        Self { agent: agent.into(), template: template.to_owned(), failed: Arc::default() }
    }

    /// A shorter link, or the same if none is to be had in time.
    pub(crate) async fn shorten(&self, link: &str) -> String {
        if self.rests() {
            return link.to_owned();
        }
        let (shortener, long) = (self.clone(), link.to_owned());
        let answer = tokio::task::spawn_blocking(move || shortener.ask(&long)).await;
        let problem = match answer {
            Ok(Ok(short)) if is_link(&short) => return short,
            Ok(Ok(_)) => "the answer is no link".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(error = problem, retry_in = ?REST, "links are not shortened");
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        link.to_owned()
    }

    fn rests(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| at.elapsed() < REST)
    }

    fn ask(&self, link: &str) -> Result<String, ureq::Error> {
        let link = utf8_percent_encode(link, NON_ALPHANUMERIC).to_string();
        let mut response = self.agent.get(self.template.replace("{url}", &link)).call()?;
        let text = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string()?;
        Ok(text.trim().to_owned())
    }
}

fn is_link(text: &str) -> bool {
    (text.starts_with("http://") || text.starts_with("https://"))
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}
