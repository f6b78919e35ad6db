//! What errors of a storage mean, and what to do about them.

use std::error::Error;

use object_store::Error as StoreError;

/// What is wrong with a storage, by what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is no such bucket.
    NoBucket,
    /// It does not know the credentials.
    Credentials,
    /// The bucket is in another region.
    Region,
    /// The credentials do not suffice.
    Denied,
    /// A folder of this machine cannot be used.
    Folder,
    /// It does not answer, or has a trouble of its own.
    Other,
}

impl Trouble {
    /// Of the storage that `uri` is in.
    pub(crate) fn of(error: &StoreError, uri: &str) -> Self {
        match (error, error_code(error).as_deref()) {
            (_, Some("NoSuchBucket")) => Self::NoBucket,
            (_, Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken")) => {
                Self::Credentials
            }
            (_, Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")) => {
                Self::Region
            }
            (StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }, _) => Self::Denied,
            _ if uri.starts_with("file:") => Self::Folder,
            _ => Self::Other,
        }
    }

    /// What to do.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::NoBucket => {
                "create the bucket, or correct spec.destination.uri, spec.destination.s3.region or .endpoint"
            }
            Self::Credentials => "correct the Secret of spec.destination.s3.credentials",
            Self::Region => "correct spec.destination.s3.region",
            Self::Denied => {
                "allow s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket on the destination; for file:// \
                 give this user the right to write to the folder"
            }
            Self::Folder => "make spec.destination.uri a folder on a volume that has room and can be written",
            Self::Other => {
                "check that the storage works and has room, and that spec.destination.uri and \
                 spec.destination.s3.endpoint are right and reachable"
            }
        }
    }
}

/// The `<Code>` of an S3 error document, which is somewhere in the chain of errors.
pub(crate) fn error_code(error: &StoreError) -> Option<String> {
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
