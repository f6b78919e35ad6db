//! The destination: is it there, may we write, and does it refuse to overwrite?

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};

use super::{CheckLine, Finding, innermost};
use crate::settings::Storage;
use crate::storage::Place;

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

/// The same options, but little is tried again: somebody waits for the answer.
pub(super) fn hasty(options: HashMap<String, String>) -> HashMap<String, String> {
    let hasty = [("max_retries", "1"), ("retry_timeout", "10s"), ("connect_timeout", "5s")];
    options.into_iter().chain(hasty.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
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
    let code = error_code(error);
    let said = code.clone().unwrap_or_else(|| first_line(&text).to_owned());
    match (error, code.as_deref()) {
        (_, Some("NoSuchBucket")) => {
            let bucket = storage.url.host_str().unwrap_or_default();
            Finding::problem(
                format!("there is no bucket {bucket}"),
                "create the bucket, or correct spec.destination.uri, spec.destination.s3.region or .endpoint",
            )
        }
        (_, Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken")) => {
            Finding::problem(
                format!("the credentials are refused ({said})"),
                "correct the Secret of spec.destination.s3.credentials",
            )
        }
        (_, Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")) => {
            Finding::problem(format!("the bucket is in another region ({said})"), "correct spec.destination.s3.region")
        }
        (StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }, _) => Finding::problem(
            format!("access denied: these credentials may not {doing} ({said})"),
            "allow s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket on the destination; for file:// give \
             this user the right to write to the folder",
        ),
        _ if storage.url.scheme() == "file" => Finding::problem(
            format!("cannot {doing}: {said}"),
            "make spec.destination.uri a folder on a volume that has room and can be written",
        ),
        _ => Finding::problem(
            format!("cannot {doing}: {said}"),
            "check that spec.destination.uri and spec.destination.s3.endpoint are right and reachable",
        ),
    }
}

/// The `<Code>` of an S3 error document, which is somewhere in the chain of errors.
fn error_code(error: &StoreError) -> Option<String> {
    let mut link: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = link {
        if let Some((code, _)) = error.to_string().split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"))
        {
            return Some(code.to_owned());
        }
        link = error.source();
    }
    None
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
