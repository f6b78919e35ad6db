//! The profiles that AWS's programs keep in `~/.aws/credentials`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use object_store::aws::AwsCredential;

use super::credentials::CredentialsError;

/// A profile with keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    file: PathBuf,
    name: String,
}

impl Profile {
    /// The profile that `AWS_PROFILE` names; without it the profile `default`, if there is one with keys.
    pub(super) fn of(environment: &HashMap<String, String>) -> Option<Self> {
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let home = || set("HOME").map(|home| Path::new(home).join(".aws").join("credentials"));
        let file = set("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from).or_else(home)?;
        if let Some(name) = set("AWS_PROFILE") {
            return Some(Self { file, name: name.clone() });
        }
        let default = Self { file, name: "default".to_owned() };
        default.read().is_ok().then_some(default)
    }

    pub(super) fn read(&self) -> Result<AwsCredential, CredentialsError> {
        let text = std::fs::read_to_string(&self.file)
            .map_err(|reason| CredentialsError::Unreadable { path: self.file.clone(), reason })?;
        let no_keys = || CredentialsError::NoKeys { path: self.file.clone(), profile: self.name.clone() };
        parse(&text, &self.name).ok_or_else(no_keys)
    }
}

/// The keys of a profile in a file of lines `[profile]` and `key = value`.
fn parse(text: &str, profile: &str) -> Option<AwsCredential> {
    let heading = |line: &str| line.strip_prefix('[')?.strip_suffix(']').map(|name| name.trim().to_owned());
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let section = lines.skip_while(|line| heading(line).as_deref() != Some(profile)).skip(1);
    let entries = section.take_while(|line| heading(line).is_none()).filter_map(|line| line.split_once('='));
    let entries: HashMap<String, &str> =
        entries.map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim())).collect();
    let value = |key: &str| entries.get(key).filter(|value| !value.is_empty()).map(|value| (*value).to_owned());
    Some(AwsCredential {
        key_id: value("aws_access_key_id")?,
        secret_key: value("aws_secret_access_key")?,
        token: value("aws_session_token"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\n[default]\naws_access_key_id = AKIA\naws_secret_access_key = hunter=2\n\n\
        [work]\n  aws_access_key_id=ASIA\n; as root\nAWS_SECRET_ACCESS_KEY=hunter3\naws_session_token = t\n[empty]\n[sso]\nsso_session=x\n";

    fn environment(file: &Path, more: &[(&str, &str)]) -> HashMap<String, String> {
        let file = ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
        more.iter().chain([&file]).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn file() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), FILE).unwrap();
        file
    }

    #[test]
    fn the_keys_of_a_profile_are_those_below_its_heading() {
        let of = |name| parse(FILE, name).map(|keys| (keys.key_id, keys.secret_key, keys.token));
        assert_eq!(of("default"), Some(("AKIA".into(), "hunter=2".into(), None)));
        assert_eq!(of("work"), Some(("ASIA".into(), "hunter3".into(), Some("t".into()))));
        assert_eq!((of("empty"), of("sso"), of("other")), (None, None, None));
    }

    #[test]
    fn the_default_profile_is_used_when_it_has_keys_and_a_named_one_always() {
        let file = file();
        assert_eq!(Profile::of(&environment(file.path(), &[])).unwrap().read().unwrap().key_id, "AKIA");
        let named = Profile::of(&environment(file.path(), &[("AWS_PROFILE", "work")])).unwrap();
        assert_eq!(named.read().unwrap().key_id, "ASIA");
        let error = Profile::of(&environment(file.path(), &[("AWS_PROFILE", "sso")])).unwrap().read().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("the profile sso in ") && text.contains(file.path().to_str().unwrap()), "{text}");
        std::fs::write(file.path(), "[sso]\n").unwrap();
        assert_eq!(Profile::of(&environment(file.path(), &[])), None);
    }

    #[test]
    fn a_file_that_is_not_there_matters_only_when_a_profile_is_named() {
        let missing = Path::new("/nowhere/credentials");
        assert_eq!(Profile::of(&environment(missing, &[])), None);
        let named = Profile::of(&environment(missing, &[("AWS_PROFILE", "work")])).unwrap();
        let text = named.read().unwrap_err().to_string();
        assert!(text.contains("/nowhere/credentials") && text.contains("AWS_PROFILE"), "{text}");
    }

    #[test]
    fn without_another_file_it_is_the_one_in_the_home_folder() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/credentials"), FILE).unwrap();
        let environment = HashMap::from([("HOME".to_owned(), home.path().to_str().unwrap().to_owned())]);
        assert_eq!(Profile::of(&environment).unwrap().read().unwrap().key_id, "AKIA");
    }
}
