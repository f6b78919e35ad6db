//! S3: `LocalStack`, which keeps its objects in memory.

use rustix::process::Signal;

use super::directory::Directory;
use super::fetch::Software;
use super::process::Program;
use super::{Addresses, Part};

/// The access key that the stack's S3 is used with.
pub const S3_ACCESS_KEY: &str = "test";
/// The secret key that the stack's S3 is used with.
pub const S3_SECRET_KEY: &str = "test";
/// The region that buckets are created in.
pub const S3_REGION: &str = "us-east-1";

pub(super) fn program(software: &Software, directory: &Directory, addresses: &Addresses) -> Program {
    let folder = directory.part(Part::S3);
    let environment = vec![
        ("SERVICES", "s3".into()),
        ("GATEWAY_LISTEN", addresses.at(addresses.s3).into()),
        ("LOCALSTACK_HOST", addresses.at(addresses.s3).into()),
        ("EAGER_SERVICE_LOADING", "1".into()),
        ("SKIP_SSL_CERT_DOWNLOAD", "1".into()),
        ("DISABLE_EVENTS", "1".into()),
        ("DNS_ADDRESS", "0".into()),
        ("LS_LOG", "warn".into()),
        ("PYTHONUNBUFFERED", "1".into()),
        ("PYTHONWARNINGS", "ignore".into()),
        // LocalStack calls this deprecated, and without it leaves folders in the system's temporary folder.
        ("TMPDIR", directory.tmp().into()),
        ("FILESYSTEM_ROOT", folder.join("filesystem").into()),
    ];
    Program {
        path: software.s3_python.clone(),
        arguments: vec!["-m".into(), "localstack.runtime.main".into()],
        environment,
        directory: folder,
        user: None,
        log: directory.log(Part::S3),
        kill_signal: Signal::KILL,
    }
}
