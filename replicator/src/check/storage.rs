//! The destination: is it there, may we write, and does it refuse to overwrite?

use std::{sync::Arc, time::Duration};

use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};

use super::{CheckLine, Finding, innermost};
use crate::settings::Storage;
use crate::storage::{Place, Trouble, error_code, hasty};

/// How long the storage has to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes an object to the destination twice, reads the folder, and removes the object.
pub(super) async fn check(storage: &Storage) -> CheckLine {
    let what = format!("destination {}", storage.url);
    let found = match tokio::time::timeout(PATIENCE, try_out(storage)).await {
        Ok(Ok(())) => Finding::Ok("writable".to_owned()),
        Ok(Err(finding)) => finding,
        Err(_) => Finding::problem(
            format!("the storage does not answer within {} s", PATIENCE.as_secs()),
            "check spec.destination.s3.endpoint and the network",
        ),
    };
    CheckLine::new(what, found)
}

async fn try_out(storage: &Storage) -> Result<(), Finding> {
    let store = open(storage)?;
    let probe = Path::from(format!("tributary-check-{}", uuid::Uuid::new_v4()));
    let outcome = write_twice(storage, store.as_ref(), &probe).await;
    let removed = store.delete(&probe).await;
    outcome?;
    removed.map_err(|error| explained(storage, "remove an object", &error))
}

/// The store as the tables open it.
fn open(storage: &Storage) -> Result<Arc<dyn ObjectStore>, Finding> {
    let place = Place::open(&storage.url, &hasty(storage.options.clone()));
    let unusable = |error: StoreError| {
        Finding::problem(format!("cannot be opened: {}", innermost(&error)), "check spec.destination")
    };
    Ok(place.map_err(unusable)?.folder)
}

/// Writes an object and reads it; then the second write of it must be refused: a commit of a Delta table relies on that.
async fn write_twice(storage: &Storage, store: &dyn ObjectStore, probe: &Path) -> Result<(), Finding> {
    let create = || PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let put = |options| store.put_opts(probe, "written by `replicator check`".into(), options);
    put(create()).await.map_err(|error| explained(storage, "write an object", &error))?;
    store.head(probe).await.map_err(|error| explained(storage, "read an object", &error))?;
    match put(create()).await {
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(()),
        Err(error) => Err(explained(storage, "write an object", &error)),
        Ok(_) => Err(Finding::problem(
            "the service overwrites an object although it is asked to create it only (If-None-Match), so two writers \
             could destroy each other's commits",
            "use a service, or a version of it, that honours conditional writes",
        )),
    }
}

/// What an error of the storage means, and what to do.
fn explained(storage: &Storage, doing: &str, error: &StoreError) -> Finding {
    let text = innermost(error).to_string();
    let said = error_code(error).unwrap_or_else(|| first_line(&text).to_owned());
    let trouble = Trouble::of(error, storage.url.as_str());
    let wrong = match trouble {
        Trouble::NoBucket => format!("there is no bucket {}", storage.url.host_str().unwrap_or_default()),
        Trouble::Credentials => format!("the credentials are refused ({said})"),
        Trouble::Region => format!("the bucket is in another region ({said})"),
        Trouble::Denied => format!("access denied: these credentials may not {doing} ({said})"),
        Trouble::Folder | Trouble::Other => format!("cannot {doing}: {said}"),
    };
    Finding::problem(wrong, trouble.advice())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
