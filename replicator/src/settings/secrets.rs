//! Secrets as files: `DIR/<name>/<key>`, the way Kubernetes mounts them.

use std::{
    io,
    path::{Path, PathBuf},
};

use tributary_crds::{CaSecret, SecretRef};

use super::SettingsError;

/// A directory with one folder for each secret, and a file for each of its keys.
#[derive(Clone, Debug)]
pub struct Secrets {
    directory: Option<PathBuf>,
}

impl Secrets {
    /// Secrets below a directory; without one, every secret is missing.
    pub fn new(directory: Option<&Path>) -> Self {
        Self { directory: directory.map(Path::to_owned) }
    }

    /// A value, without the line break that editors leave at its end. `field` names what refers to it in errors.
    pub fn value(&self, field: &str, secret: &str, key: &str) -> Result<String, SettingsError> {
        let path = self.folder(field, secret, key)?.join(key);
        let (field, secret) = (field.to_owned(), secret.to_owned());
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => {
                Err(SettingsError::BadSecret { field, secret, path, wrong: "is empty: write the value into it" })
            }
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(SettingsError::NoSecret { field, secret, key: key.to_owned(), path })
            }
            Err(source) => Err(SettingsError::UnreadableSecret { field, secret, path, source }),
        }
    }

    /// The folder of a secret, in which a key is looked for.
    pub(super) fn folder(&self, field: &str, secret: &str, key: &str) -> Result<PathBuf, SettingsError> {
        let none = || SettingsError::NoSecrets { field: field.into(), secret: secret.into(), key: key.into() };
        Ok(self.directory.as_ref().ok_or_else(none)?.join(secret))
    }

    /// A value that may be absent.
    pub(crate) fn optional(&self, field: &str, secret: &str, key: &str) -> Result<Option<String>, SettingsError> {
        match self.value(field, secret, key) {
            Err(SettingsError::NoSecret { .. }) => Ok(None),
            value => value.map(Some),
        }
    }

    /// User name and password.
    pub fn login(&self, field: &str, secret: &SecretRef) -> Result<(String, String), SettingsError> {
        let value = |key| self.value(field, &secret.secret_name, key);
        Ok((value("username")?, value("password")?))
    }

    /// Certificates of an authority.
    pub(super) fn ca(&self, field: &str, secret: &CaSecret) -> Result<String, SettingsError> {
        self.pem(field, &secret.secret_name, &secret.key)
    }

    /// A value in PEM form.
    pub(super) fn pem(&self, field: &str, secret: &str, key: &str) -> Result<String, SettingsError> {
        let text = self.value(field, secret, key)?;
        if text.contains("-----BEGIN ") {
            return Ok(text);
        }
        Err(SettingsError::BadSecret {
            field: field.to_owned(),
            secret: secret.to_owned(),
            path: self.directory.clone().unwrap_or_default().join(secret).join(key),
            wrong: "is not in PEM form: it has no line that starts with -----BEGIN",
        })
    }
}
