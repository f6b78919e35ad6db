//! Leader election: one of several operators works, and stops for good when it is not sure any more that it may.

use std::time::{Duration, Instant};

use kube::{Client, Config};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio_util::sync::CancellationToken;

/// A lease is void this many seconds after its last renewal.
const DURATION: u64 = 15;
/// It is renewed this many seconds before that, and given up when all attempts failed until then.
const GRACE: u64 = 5;
/// A request that takes longer than this would eat up the grace period.
const REQUEST: Duration = Duration::from_secs(4);
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// Which lease, and who we are.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// Name of the Lease.
    pub name: String,
    /// Its namespace: the operator's own.
    pub namespace: String,
    /// Our name in it: the pod's.
    pub identity: String,
}

/// No lease can be had.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The API server cannot be talked to.
    #[error("cannot make a client for the lease")]
    Client(#[source] Box<kube::Error>),
    /// The Lease cannot be read or created.
    #[error(
        "cannot read or create the Lease {namespace}/{name}: the operator's Role needs get, create, patch on leases.coordination.k8s.io in that namespace"
    )]
    Build {
        /// Name of the Lease.
        name: String,
        /// Its namespace.
        namespace: String,
        /// What the API server said.
        #[source]
        source: LeaseManagerError,
    },
}

/// A lease that is waited for or held.
pub struct Lease {
    manager: LeaseManager,
    settings: LeaseSettings,
}

/// A client that fails instead of waiting: whoever cannot renew the lease in time must know it in time.
fn impatient(mut config: Config) -> Result<Client, kube::Error> {
    config.default_retry = false;
    config.connect_timeout = Some(REQUEST);
    config.read_timeout = Some(REQUEST);
    config.write_timeout = Some(REQUEST);
    Client::try_from(config)
}

impl Lease {
    /// Finds or creates the Lease.
    pub async fn open(config: Config, settings: LeaseSettings) -> Result<Self, LeaseError> {
        let client = impatient(config).map_err(|error| LeaseError::Client(Box::new(error)))?;
        let manager = LeaseManagerBuilder::new(client, &settings.name)
            .with_namespace(&settings.namespace)
            .with_identity(&settings.identity)
            .with_duration(DURATION)
            .with_grace(GRACE)
            .build()
            .await
            .map_err(|source| LeaseError::Build {
                name: settings.name.clone(),
                namespace: settings.namespace.clone(),
                source,
            })?;
        Ok(Self { manager, settings })
    }

    /// Completes when the lease is ours.
    pub async fn acquired(&self) {
        tracing::info!(lease = %self.settings.name, identity = %self.settings.identity, "waiting for the lease");
        loop {
            match self.manager.changed().await {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = %crate::log::described(&error), "cannot get the lease, trying again");
                    tokio::time::sleep(BETWEEN_ATTEMPTS).await;
                }
            }
        }
        tracing::info!(lease = %self.settings.name, identity = %self.settings.identity, "leading");
    }

    /// Renews the lease; completes when it is lost, or may be: somebody else has it, or it could not be renewed in time.
    pub async fn lost(&self) {
        let mut failures = Failures::default();
        loop {
            let begin = Instant::now();
            match self.manager.changed().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(error = %crate::log::described(&error), "cannot renew the lease, trying again");
                    if failures.too_long(begin, Instant::now()) {
                        break;
                    }
                    tokio::time::sleep(BETWEEN_ATTEMPTS).await;
                }
            }
        }
        tracing::error!(lease = %self.settings.name, "the lease is lost");
    }

    /// Gives the lease to whoever waits for it.
    pub async fn release(&self) {
        match tokio::time::timeout(REQUEST, self.manager.release()).await {
            Ok(Ok(())) => tracing::info!(lease = %self.settings.name, "released the lease"),
            Ok(Err(error)) => {
                tracing::warn!(error = %crate::log::described(&error), "cannot release the lease: it expires by itself");
            }
            Err(_) => tracing::warn!("releasing the lease took too long: it expires by itself"),
        }
    }

    /// Waits for the lease unless `stop` comes first.
    pub async fn acquired_unless(&self, stop: &CancellationToken) -> bool {
        tokio::select! {
            () = self.acquired() => true,
            () = stop.cancelled() => false,
        }
    }
}

/// Since when renewals fail.
#[derive(Debug, Default)]
struct Failures {
    since: Option<Instant>,
}

impl Failures {
    /// Whether the lease can no more be trusted after an attempt that began at `begin` and failed at `now`. An attempt
    /// that lasted longer than the grace period has renewed the lease before it failed.
    fn too_long(&mut self, begin: Instant, now: Instant) -> bool {
        let grace = Duration::from_secs(GRACE);
        if now.duration_since(begin) >= grace {
            self.since = None;
        }
        let since = *self.since.get_or_insert(now);
        now.duration_since(since) + REQUEST >= grace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lease_is_given_up_before_it_expires() {
        let start = Instant::now();
        let second = |n: u64| start + Duration::from_secs(n);
        let mut failures = Failures::default();
        // Renewal is due ten seconds after the last one, and its request times out.
        assert!(!failures.too_long(start, second(14)));
        assert!(failures.too_long(second(15), second(15)));
    }

    #[test]
    fn a_renewal_in_between_starts_the_count_again() {
        let start = Instant::now();
        let second = |n: u64| start + Duration::from_secs(n);
        let mut failures = Failures::default();
        assert!(!failures.too_long(start, second(10)));
        assert!(!failures.too_long(second(11), second(31)));
    }
}
