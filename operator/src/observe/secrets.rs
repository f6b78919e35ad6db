//! Which Secrets exist, in which version, with which keys. Never a list of them, and no value is kept.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt};

use super::SecretError;
use crate::plan::{SecretVersion, SecretVersions};

/// How long it may take until a changed Secret is noticed.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// The same while one is missing: it may come at any moment.
const LOOK_AGAIN_SOON: SignedDuration = SignedDuration::from_secs(5);

#[derive(Clone, Debug)]
struct Seen {
    at: Timestamp,
    /// `None`: there is no such Secret.
    version: Option<SecretVersion>,
}

/// The Secrets of one resource, as last seen.
#[derive(Debug, Default)]
pub struct SecretsSeen(HashMap<String, Seen>);

impl SecretsSeen {
    /// Looks at those of `names` that were not looked at lately, and forgets the others.
    pub async fn look(
        &mut self,
        client: &Client,
        namespace: &str,
        names: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<(), SecretError> {
        self.0.retain(|name, _| names.contains(name));
        let api = Api::<Secret>::namespaced(client.clone(), namespace);
        for name in names.iter().filter(|name| self.is_due(name, now)).cloned().collect::<Vec<_>>() {
            let version = self.version(&api, &name).await;
            let version = version.map_err(|source| SecretError::Api { name: name.clone(), source })?;
            self.0.insert(name, Seen { at: now, version });
        }
        Ok(())
    }

    /// The Secret itself is only got when its version is another one.
    async fn version(&self, api: &Api<Secret>, name: &str) -> Result<Option<SecretVersion>, kube::Error> {
        let Some(found) = api.get_metadata_opt(name).await? else { return Ok(None) };
        let known = self.0.get(name).and_then(|seen| seen.version.as_ref());
        if let Some(known) = known.filter(|known| found.resource_version().as_deref() == Some(&known.version)) {
            return Ok(Some(known.clone()));
        }
        Ok(api.get_opt(name).await?.map(|secret| SecretVersion::of(&secret)))
    }

    fn is_due(&self, name: &str, now: Timestamp) -> bool {
        let Some(seen) = self.0.get(name) else { return true };
        let wait = if seen.version.is_some() { LOOK_AGAIN } else { LOOK_AGAIN_SOON };
        now.duration_since(seen.at) >= wait
    }

    /// The Secrets that exist.
    pub fn versions(&self) -> SecretVersions {
        let exists = |(name, seen): (&String, &Seen)| Some((name.clone(), seen.version.clone()?));
        SecretVersions(self.0.iter().filter_map(exists).collect())
    }

    /// The version of one of them; empty when it does not exist.
    pub fn version_of(&self, name: &str) -> &str {
        let seen = self.0.get(name).and_then(|seen| seen.version.as_ref());
        seen.map(|version| version.version.as_str()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64, version: Option<&str>) -> Seen {
        let secret = |version: &str| {
            let mut secret = Secret::default();
            secret.metadata.resource_version = Some(version.to_owned());
            SecretVersion::of(&secret)
        };
        Seen { at: Timestamp::from_second(at).unwrap(), version: version.map(secret) }
    }

    #[test]
    fn a_secret_is_looked_at_once_a_minute_and_a_missing_one_more_often() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let secrets =
            SecretsSeen(HashMap::from([("db".to_owned(), seen(100, Some("7"))), ("lake".to_owned(), seen(100, None))]));
        assert!(!secrets.is_due("db", at(159)) && secrets.is_due("db", at(160)));
        assert!(!secrets.is_due("lake", at(104)) && secrets.is_due("lake", at(105)));
        assert!(secrets.is_due("other", at(100)));
        assert_eq!((secrets.version_of("db"), secrets.version_of("lake")), ("7", ""));
    }
}
