//! The schema registry.

use super::{CheckLine, Finding};
use crate::{decode::RegistryClient, settings::EventFormat};

/// Asks the registry, if there is one.
pub(super) async fn check(format: &EventFormat) -> Option<CheckLine> {
    let EventFormat::Avro(config) = format else { return None };
    // The address of the resource: it holds no password, as the rules of `check` in `crds` see to.
    let what = format!("registry {}", config.url);
    let answer = match RegistryClient::new(config.clone()) {
        Ok(client) => client.check().await,
        Err(error) => Err(error),
    };
    let found = answer.map_or_else(|error| Finding::from_error(&error), |()| Finding::Ok(String::new()));
    Some(CheckLine::new(what, found))
}
