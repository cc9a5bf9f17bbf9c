//! Signatures: each checked once, when its message comes, by a small pool of threads; what was found out is noted with the
//! message, and consumers go by it. Order is kept, because a batch is checked as a whole.

use std::sync::Arc;

use journal::{Offset, Refusal};
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::Accepted;
use crate::trust::Judge;

/// As many threads check signatures at most: one does some 30,000 a second.
const THREADS: usize = 4;

/// Checks signatures.
pub struct Verifier {
    judge: Arc<Judge>,
    pool: ThreadPool,
}

impl Verifier {
    /// Goes by what this one says.
    ///
    /// # Errors
    /// The threads cannot be had.
    pub fn new(judge: Arc<Judge>) -> Result<Self, ThreadPoolBuildError> {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS));
        let named = ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("verify {n}"));
        Ok(Self { judge, pool: named.build()? })
    }

    /// Finds out about those that somebody wants only with a signature. They will be in the journal from `next` on.
    pub(super) fn verify(&self, messages: &mut [Accepted], next: Offset) {
        self.judge.begin(next);
        let verify = |message: &mut Accepted| {
            if message.to_verify {
                let verdict = self.judge.verdict(&message.topic, &message.body);
                // Who validates finds out, and says so, when he comes to it; then or in a replay it may be known.
                message.verdict = verdict.filter(|verdict| !verdict.is_about_anchors());
            }
        };
        match messages {
            [one] => verify(one),
            many => self.pool.install(|| many.par_iter_mut().for_each(verify)),
        }
    }

    /// What is to be recorded of a message that is not to be trusted.
    pub(super) fn refusal(&self, message: &Accepted) -> Option<Refusal> {
        let Accepted { endpoint, topic, body, verdict, .. } = message;
        self.judge.refusal(endpoint, topic, body, verdict.as_ref()?)
    }
}
