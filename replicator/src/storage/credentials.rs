//! Credentials that lie in files: whoever rotates them replaces the files, so they are read again now and then.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};

use super::profile::Profile;
use crate::settings::{Secrets, SettingsError};

/// The option that names the folder of a Secret with the credentials.
pub const SECRET_FOLDER: &str = "tributary_secret_folder";

/// How old credentials may be before they are read again. They are rotated minutes before they expire.
const FRESH: Duration = Duration::from_secs(30);

/// Where credentials come from that `object_store` does not find by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The folder of a mounted Secret.
    Secret(PathBuf),
    /// A profile of AWS's programs.
    Profile(Profile),
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialsError {
    /// The Secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SettingsError),
    /// The file of profiles cannot be read. The reason is part of the text: who shows only the last cause names the file.
    #[error("cannot read the AWS credentials in {path}: {reason}. Make the file readable, or correct AWS_PROFILE")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The profile has no keys.
    #[error(
        "the profile {profile} in {path} has no aws_access_key_id with aws_secret_access_key: write them there, or \
         name another profile in AWS_PROFILE (single sign-on and credential_process are not supported)"
    )]
    NoKeys {
        /// The file.
        path: PathBuf,
        /// The profile.
        profile: String,
    },
}

impl Source {
    /// The first that there is: the Secret that an option names, then, unless the environment has keys, a web identity or a
    /// container's credentials, a profile. `None` leaves it to `object_store`, which in the end asks the machine's metadata.
    pub(super) fn of(
        builder: &AmazonS3Builder,
        options: &HashMap<String, String>,
        environment: &HashMap<String, String>,
    ) -> Option<Self> {
        if let Some(folder) = options.get(SECRET_FOLDER) {
            return Some(Self::Secret(folder.into()));
        }
        let is_set = |key| builder.get_config_value(&key).is_some();
        let others = [
            AmazonS3ConfigKey::AccessKeyId,
            AmazonS3ConfigKey::WebIdentityTokenFile,
            AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
            AmazonS3ConfigKey::ContainerCredentialsFullUri,
        ];
        if others.into_iter().any(is_set) {
            return None;
        }
        Profile::of(environment).map(Self::Profile)
    }

    fn read(&self) -> Result<AwsCredential, CredentialsError> {
        match self {
            Self::Secret(folder) => Ok(read_secret(folder)?),
            Self::Profile(profile) => profile.read(),
        }
    }
}

/// The credentials in a Secret's folder.
pub(crate) fn read_secret(folder: &Path) -> Result<AwsCredential, SettingsError> {
    let secrets = Secrets::new(folder.parent());
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let field = "spec.destination.s3.credentials";
    Ok(AwsCredential {
        key_id: secrets.value(field, &name, "AWS_ACCESS_KEY_ID")?,
        secret_key: secrets.value(field, &name, "AWS_SECRET_ACCESS_KEY")?,
        token: secrets.optional(field, &name, "AWS_SESSION_TOKEN")?,
    })
}

/// Gives what was read not long ago.
pub(super) struct FileCredentials {
    source: Source,
    held: Mutex<Option<Held>>,
}

struct Held {
    credential: Arc<AwsCredential>,
    since: Instant,
}

impl FileCredentials {
    pub(super) fn new(source: Source) -> Self {
        Self { source, held: Mutex::new(None) }
    }

    /// What cannot be read is not papered over with older credentials: whoever asked tries again, and says why.
    fn at(&self, now: Instant) -> Result<Arc<AwsCredential>, CredentialsError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fresh) = held.as_ref().filter(|held| now.saturating_duration_since(held.since) < FRESH) {
            return Ok(fresh.credential.clone());
        }
        let credential = Arc::new(self.source.read()?);
        *held = Some(Held { credential: credential.clone(), since: now });
        Ok(credential)
    }
}

impl fmt::Debug for FileCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileCredentials").field(&self.source).finish()
    }
}

#[async_trait]
impl CredentialProvider for FileCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let unavailable = |error| object_store::Error::Generic { store: "S3", source: Box::new(error) };
        self.at(Instant::now()).map_err(unavailable)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(folder: &Path, values: &[(&str, &str)]) {
        fs::create_dir_all(folder).unwrap();
        for (key, value) in values {
            fs::write(folder.join(key), value).unwrap();
        }
    }

    fn keys(id: &str) -> [(&'static str, String); 2] {
        [("AWS_ACCESS_KEY_ID", id.to_owned()), ("AWS_SECRET_ACCESS_KEY", format!("secret of {id}\n"))]
    }

    fn rotate(folder: &Path, id: &str) {
        let keys = keys(id);
        write(folder, &keys.each_ref().map(|(key, value)| (*key, value.as_str())));
    }

    #[test]
    fn a_rotated_secret_is_read_again_after_a_while_and_not_at_each_request() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("lake");
        rotate(&folder, "first");
        let credentials = FileCredentials::new(Source::Secret(folder.clone()));
        let start = Instant::now();
        let first = credentials.at(start).unwrap();
        assert_eq!((first.secret_key.as_str(), first.token.as_deref()), ("secret of first", None));

        rotate(&folder, "second");
        write(&folder, &[("AWS_SESSION_TOKEN", "token")]);
        assert_eq!(credentials.at(start + FRESH / 2).unwrap().key_id, "first");
        let second = credentials.at(start + FRESH).unwrap();
        assert_eq!((second.key_id.as_str(), second.token.as_deref()), ("second", Some("token")));
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_named_with_its_file_and_read_as_soon_as_it_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("lake");
        rotate(&folder, "first");
        let credentials = FileCredentials::new(Source::Secret(folder.clone()));
        let start = Instant::now();
        credentials.at(start).unwrap();
        let file = folder.join("AWS_SECRET_ACCESS_KEY");
        fs::remove_file(&file).unwrap();
        let error = credentials.at(start + FRESH).unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()) && error.contains("spec.destination.s3.credentials"), "{error}");
        rotate(&folder, "second");
        assert_eq!(credentials.at(start + FRESH).unwrap().key_id, "second");
    }

    #[test]
    fn debug_output_shows_where_they_are_and_not_what_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("lake");
        rotate(&folder, "first");
        let credentials = FileCredentials::new(Source::Secret(folder));
        credentials.at(Instant::now()).unwrap();
        let text = format!("{credentials:?}");
        assert!(text.contains("lake") && !text.contains("first"), "{text}");
    }
}
